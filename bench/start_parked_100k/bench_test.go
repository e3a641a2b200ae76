// SPDX-License-Identifier: Apache-2.0
// Start 100,000 goroutines that park on a channel, until the last one has said that it runs.

package start_parked_100k

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

const goroutines = 100_000

func residentBytes() int {
	f, err := os.Open("/proc/self/statm")
	if err != nil {
		return 0
	}
	defer f.Close()
	var size, resident int
	if _, err := fmt.Fscan(f, &size, &resident); err != nil {
		return 0
	}
	return resident * os.Getpagesize()
}

func BenchmarkStartParked100k(b *testing.B) {
	released := 0
	grown := 0
	for b.Loop() {
		b.StopTimer()
		before := residentBytes()
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
		grown = max(grown, residentBytes()-before)
		close(gate)
		ended.Wait()
		released += goroutines
		b.StartTimer()
	}
	b.ReportMetric(float64(grown)/goroutines, "rss-B/goroutine")
	b.ReportMetric(float64(released)/float64(b.N), "check/op")
}
