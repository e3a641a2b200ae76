// SPDX-License-Identifier: Apache-2.0
// How long a goroutine that runs every 200 us is kept waiting when another one, or eight others,
// compute for 50 ms without parking: the worst gap of each round.

package stall_computing

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	compute = 50 * time.Millisecond
	beat    = 200 * time.Microsecond
)

func stall(b *testing.B, computers int) {
	var worstTotal time.Duration
	ended := 0
	for b.Loop() {
		var stop atomic.Bool
		var computing, ticker sync.WaitGroup
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
		for range computers {
			computing.Add(1)
			go func() {
				defer computing.Done()
				for end := time.Now().Add(compute); time.Now().Before(end); {
				}
			}()
		}
		computing.Wait()
		stop.Store(true)
		ticker.Wait()
		ended += computers
		worstTotal += worst
	}
	b.ReportMetric(float64(worstTotal)/float64(b.N), "gap-ns/op")
	b.ReportMetric(float64(ended)/float64(b.N), "check/op")
}

func BenchmarkStallComputing(b *testing.B) {
	b.Run("1", func(b *testing.B) { stall(b, 1) })
	b.Run("8", func(b *testing.B) { stall(b, 8) })
}
