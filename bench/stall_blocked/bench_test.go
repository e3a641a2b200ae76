// SPDX-License-Identifier: Apache-2.0
// How long a goroutine that runs every 200 us is kept waiting when 8 others stop their threads at
// once without saying so: the worst gap of each round.

package stall_blocked

import (
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	blockers = 8
	block    = 50 * time.Millisecond
	beat     = 200 * time.Microsecond
)

func BenchmarkStallBlocked(b *testing.B) {
	var worstTotal time.Duration
	ended := 0
	for b.Loop() {
		var stop atomic.Bool
		var blocked, ticker sync.WaitGroup
		var worst time.Duration
		ticker.Add(1)
		go func() {
			defer ticker.Done()
			last := time.Now()
			for !stop.Load() {
				time.Sleep(beat)
				now := time.Now()
				worst = max(worst, now.Sub(last)-beat)
				last = now
			}
		}()
		time.Sleep(2 * beat)
		for range blockers {
			blocked.Add(1)
			go func() {
				defer blocked.Done()
				t := syscall.NsecToTimespec(int64(block))
				syscall.Nanosleep(&t, nil)
			}()
		}
		blocked.Wait()
		stop.Store(true)
		ticker.Wait()
		ended += blockers
		worstTotal += worst
	}
	b.ReportMetric(float64(worstTotal)/float64(b.N), "gap-ns/op")
	b.ReportMetric(float64(ended)/float64(b.N), "check/op")
}
