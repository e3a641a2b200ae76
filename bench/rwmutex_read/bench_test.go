// SPDX-License-Identifier: Apache-2.0
// Goroutines on all processors share one RWMutex. read_mostly: one in 100 times each of them
// writes; pure: nobody does.

package rwmutex_read

import (
	"sync"
	"sync/atomic"
	"testing"
)

const writeEvery = 100

func BenchmarkRwmutexRead(b *testing.B) {
	b.Run("read_mostly", func(b *testing.B) {
		var mu sync.RWMutex
		value := 1
		var sum atomic.Int64
		b.RunParallel(func(turns *testing.PB) {
			own := 0
			untilWrite := writeEvery
			for turns.Next() {
				if untilWrite--; untilWrite == 0 {
					untilWrite = writeEvery
					mu.Lock()
					value++
					own++
					mu.Unlock()
				} else {
					mu.RLock()
					if value > 0 {
						own++
					}
					mu.RUnlock()
				}
			}
			sum.Add(int64(own))
		})
		b.ReportMetric(float64(sum.Load())/float64(b.N), "check/op")
	})
	b.Run("pure", func(b *testing.B) {
		var mu sync.RWMutex
		value := 1
		var sum atomic.Int64
		b.RunParallel(func(turns *testing.PB) {
			own := 0
			for turns.Next() {
				mu.RLock()
				own += value
				mu.RUnlock()
			}
			sum.Add(int64(own))
		})
		b.ReportMetric(float64(sum.Load())/float64(b.N), "check/op")
	})
}
