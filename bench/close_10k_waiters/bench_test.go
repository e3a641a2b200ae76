// SPDX-License-Identifier: Apache-2.0
// Close a channel on which 10,000 goroutines wait, until all have ended.

package close_10k_waiters

import (
	"sync"
	"testing"
)

const waiters = 10_000

func BenchmarkClose10kWaiters(b *testing.B) {
	released := 0
	for b.Loop() {
		b.StopTimer()
		gate := make(chan int)
		var started, ended sync.WaitGroup
		started.Add(waiters)
		ended.Add(waiters)
		for range waiters {
			go func() {
				defer ended.Done()
				started.Done()
				<-gate
			}()
		}
		started.Wait()
		b.StartTimer()
		close(gate)
		ended.Wait()
		released += waiters
	}
	b.ReportMetric(float64(released)/float64(b.N), "check/op")
}
