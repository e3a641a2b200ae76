// SPDX-License-Identifier: Apache-2.0
// Four producers, each with an unbuffered channel of its own; one consumer selects over the four.

package select_contended

import "testing"

func BenchmarkSelectContended(b *testing.B) {
	var c [4]chan int
	for i := range c {
		c[i] = make(chan int)
		share := b.N / 4
		if i < b.N%4 {
			share++
		}
		go func() {
			for range share {
				c[i] <- 1
			}
		}()
	}
	sum := 0
	for range b.N {
		v := 0
		select {
		case v = <-c[0]:
		case v = <-c[1]:
		case v = <-c[2]:
		case v = <-c[3]:
		}
		sum += v
	}
	b.ReportMetric(float64(sum)/float64(b.N), "check/op")
}
