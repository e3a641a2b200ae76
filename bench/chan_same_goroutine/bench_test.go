// SPDX-License-Identifier: Apache-2.0
// Send to a channel with room and receive from it, in one goroutine: nobody waits.

package chan_same_goroutine

import "testing"

func BenchmarkChanSameGoroutine(b *testing.B) {
	c := make(chan int, 1)
	sum := 0
	for b.Loop() {
		c <- 1
		sum += <-c
	}
	b.ReportMetric(float64(sum)/float64(b.N), "check/op")
}
