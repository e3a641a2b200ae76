// SPDX-License-Identifier: Apache-2.0
// Start one goroutine and wait until it has ended.

package spawn_join

import (
	"sync"
	"testing"
)

func BenchmarkSpawnJoin(b *testing.B) {
	ran := 0
	for b.Loop() {
		var wg sync.WaitGroup
		wg.Add(1)
		go func() {
			ran++
			wg.Done()
		}()
		wg.Wait()
	}
	b.ReportMetric(float64(ran)/float64(b.N), "check/op")
}
