// SPDX-License-Identifier: Apache-2.0
// One goroutine sends, another receives, over an unbuffered channel.

package chan_stream_unbuffered

import "testing"

func BenchmarkChanStreamUnbuffered(b *testing.B) {
	c := make(chan int)
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
