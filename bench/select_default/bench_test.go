// SPDX-License-Identifier: Apache-2.0
// Look into an empty channel without waiting.

package select_default

import "testing"

func BenchmarkSelectDefault(b *testing.B) {
	c := make(chan int)
	sum := 0
	for b.Loop() {
		select {
		case v := <-c:
			sum += v
		default:
			sum++
		}
	}
	b.ReportMetric(float64(sum)/float64(b.N), "check/op")
}
