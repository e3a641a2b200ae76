// SPDX-License-Identifier: Apache-2.0
// Select between two channels of which one is ready.

package select_2

import "testing"

func BenchmarkSelect2(b *testing.B) {
	c1 := make(chan int, 1)
	c2 := make(chan int, 1)
	c1 <- 1
	sum := 0
	for b.Loop() {
		var v int
		select {
		case v = <-c1:
			c2 <- v
		case v = <-c2:
			c1 <- v
		}
		sum += v
	}
	b.ReportMetric(float64(sum)/float64(b.N), "check/op")
}
