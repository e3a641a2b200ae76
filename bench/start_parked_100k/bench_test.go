// SPDX-License-Identifier: Apache-2.0
// Start 100,000 goroutines that park on a channel, until the last one has said that it runs.

package start_parked_100k

import (
	"sync"
	"testing"

	"vole/bench/memory"
)

const goroutines = 100_000

func BenchmarkStartParked100k(b *testing.B) {
	released := 0
	var grown memory.Memory
	for b.Loop() {
		b.StopTimer()
		before := memory.Now()
		b.StartTimer()
		gate := make(chan int)
		var started, ended sync.WaitGroup
		started.Add(goroutines)
		ended.Add(goroutines)
		for range goroutines {
			go func() {
				defer ended.Done()
				started.Done()
				<-gate
			}()
		}
		started.Wait()
		b.StopTimer()
		grown.GrowBy(before)
		close(gate)
		ended.Wait()
		released += goroutines
		b.StartTimer()
	}
	grown.Report(b, goroutines, "goroutine")
	b.ReportMetric(float64(released)/float64(b.N), "check/op")
}
