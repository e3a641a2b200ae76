// SPDX-License-Identifier: Apache-2.0
// One goroutine sends, another receives, over a channel with room for 100.

package chan_buffered_100

import "testing"

func BenchmarkChanBuffered100(b *testing.B) {
	c := make(chan int, 100)
	n := b.N
	go func() {
		for range n {
			c <- 1
		}
		close(c)
	}()
	sum := 0
	for v := range c {
		sum += v
	}
	b.ReportMetric(float64(sum)/float64(b.N), "check/op")
}
