// SPDX-License-Identifier: Apache-2.0
// Two, eight and a thousand goroutines under one mutex.

package mutex_contended

import (
	"fmt"
	"sync"
	"testing"
)

func BenchmarkMutexContended(b *testing.B) {
	for _, goroutines := range []int{2, 8, 1000} {
		b.Run(fmt.Sprint(goroutines), func(b *testing.B) {
			var mu sync.Mutex
			sum := 0
			var all sync.WaitGroup
			for g := range goroutines {
				share := b.N / goroutines
				if g < b.N%goroutines {
					share++
				}
				all.Go(func() {
					for range share {
						mu.Lock()
						sum++
						mu.Unlock()
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(sum)/float64(b.N), "check/op")
		})
	}
}
