// SPDX-License-Identifier: Apache-2.0
// Broadcast a condition for which 10,000 goroutines wait, until all have ended.

package broadcast_10k_waiters

import (
	"sync"
	"testing"
)

const waiters = 10_000

func BenchmarkBroadcast10kWaiters(b *testing.B) {
	released := 0
	for b.Loop() {
		b.StopTimer()
		var mu sync.Mutex
		changed := sync.NewCond(&mu)
		open := false
		var started, ended sync.WaitGroup
		started.Add(waiters)
		ended.Add(waiters)
		for range waiters {
			go func() {
				defer ended.Done()
				mu.Lock()
				defer mu.Unlock()
				started.Done()
				for !open {
					changed.Wait()
				}
			}()
		}
		started.Wait()
		mu.Lock()
		open = true
		mu.Unlock()
		b.StartTimer()
		changed.Broadcast()
		ended.Wait()
		released += waiters
	}
	b.ReportMetric(float64(released)/float64(b.N), "check/op")
}
