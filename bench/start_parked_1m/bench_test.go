// SPDX-License-Identifier: Apache-2.0
// Start 1,000,000 goroutines (VOLE_PARKED: how many) that receive from a channel four calls of 200
// bytes deep, until the last one has said that it runs. Then all go on, and their sum is checked.

package start_parked_1m

import (
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"vole/bench/memory"
)

func goroutines() int {
	if n, err := strconv.Atoi(os.Getenv("VOLE_PARKED")); err == nil {
		return n
	}
	return 1_000_000
}

//go:noinline
func receiveDeep(gate chan int, seed int64, depth int) int64 {
	var frame [25]int64 // 200 bytes
	for i := range frame {
		frame[i] = seed
	}
	var below int64
	if depth > 1 {
		below = receiveDeep(gate, seed, depth-1)
	} else {
		<-gate
	}
	return below + frame[(seed+24)%25]
}

func BenchmarkStartParked1m(b *testing.B) {
	n := goroutines()
	var sum atomic.Int64
	var grown memory.Memory
	for b.Loop() {
		b.StopTimer()
		before := memory.Now()
		b.StartTimer()
		gate := make(chan int)
		var started, ended sync.WaitGroup
		started.Add(n)
		ended.Add(n)
		for i := range n {
			go func() {
				defer ended.Done()
				started.Done()
				sum.Add(receiveDeep(gate, int64(i), 4))
			}()
		}
		started.Wait()
		b.StopTimer()
		grown.GrowBy(before)
		close(gate)
		ended.Wait()
		b.StartTimer()
	}
	grown.Report(b, n, "goroutine")
	b.ReportMetric(float64(sum.Load())/float64(b.N), "check/op")
}
