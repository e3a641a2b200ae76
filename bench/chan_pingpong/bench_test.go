// SPDX-License-Identifier: Apache-2.0
// Two goroutines hand a value to and fro over two unbuffered channels.

package chan_pingpong

import (
	"sync"
	"testing"
)

func BenchmarkChanPingpong(b *testing.B) {
	ping := make(chan int)
	pong := make(chan int)
	var partner sync.WaitGroup
	partner.Add(1)
	go func() {
		defer partner.Done()
		for v := range ping {
			pong <- v
		}
	}()
	sum := 0
	for b.Loop() {
		ping <- 1
		sum += <-pong
	}
	close(ping)
	partner.Wait()
	b.ReportMetric(float64(sum)/float64(b.N), "check/op")
}
