// SPDX-License-Identifier: Apache-2.0
// A tree of goroutines, ten children each, a million leaves; each sends up the sum below it.

package skynet

import "testing"

func skynet(to chan<- int, number, size int) {
	if size == 1 {
		to <- number
		return
	}
	c := make(chan int)
	for i := range 10 {
		go skynet(c, number+i*(size/10), size/10)
	}
	sum := 0
	for range 10 {
		sum += <-c
	}
	to <- sum
}

func BenchmarkSkynet(b *testing.B) {
	sum := 0
	for b.Loop() {
		c := make(chan int)
		go skynet(c, 0, 1_000_000)
		sum += <-c
	}
	b.ReportMetric(float64(sum)/float64(b.N), "check/op")
}
