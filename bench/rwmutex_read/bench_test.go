// SPDX-License-Identifier: Apache-2.0
// Readers on all processors share one rw_mutex; nobody writes.

package rwmutex_read

import (
	"sync"
	"sync/atomic"
	"testing"
)

func BenchmarkRwmutexRead(b *testing.B) {
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
}
