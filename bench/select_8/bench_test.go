// SPDX-License-Identifier: Apache-2.0
// Receive by a select over eight channels; each turn makes the next one ready.

package select_8

import "testing"

func BenchmarkSelect8(b *testing.B) {
	var c [8]chan int
	for i := range c {
		c[i] = make(chan int, 1)
	}
	c[0] <- 1
	sum := 0
	for b.Loop() {
		i, v := 0, 0
		select {
		case v = <-c[0]:
			i = 0
		case v = <-c[1]:
			i = 1
		case v = <-c[2]:
			i = 2
		case v = <-c[3]:
			i = 3
		case v = <-c[4]:
			i = 4
		case v = <-c[5]:
			i = 5
		case v = <-c[6]:
			i = 6
		case v = <-c[7]:
			i = 7
		}
		c[(i+1)%8] <- v
		sum += v
	}
	b.ReportMetric(float64(sum)/float64(b.N), "check/op")
}
