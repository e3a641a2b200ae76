// SPDX-License-Identifier: Apache-2.0
// Start 1,000 goroutines and wait until all have ended.

package spawn_1000

import (
	"sync"
	"sync/atomic"
	"testing"
)

func BenchmarkSpawn1000(b *testing.B) {
	var ran atomic.Int64
	for b.Loop() {
		var wg sync.WaitGroup
		for range 1000 {
			wg.Add(1)
			go func() {
				ran.Add(1)
				wg.Done()
			}()
		}
		wg.Wait()
	}
	b.ReportMetric(float64(ran.Load())/float64(b.N), "check/op")
}
