// SPDX-License-Identifier: Apache-2.0
// Four goroutines per processor count under one mutex.

package mutex_contended

import (
	"sync"
	"testing"
)

func BenchmarkMutexContended(b *testing.B) {
	var mu sync.Mutex
	sum := 0
	b.SetParallelism(4)
	b.RunParallel(func(turns *testing.PB) {
		for turns.Next() {
			mu.Lock()
			sum++
			mu.Unlock()
		}
	})
	b.ReportMetric(float64(sum)/float64(b.N), "check/op")
}
