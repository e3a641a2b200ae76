// SPDX-License-Identifier: Apache-2.0
// Sleep for a millisecond: late-ns/op is how much later than that the sleeper ran.

package sleep_accuracy

import (
	"testing"
	"time"
)

func BenchmarkSleepAccuracy(b *testing.B) {
	const nap = time.Millisecond
	var late time.Duration
	early := 0
	for b.Loop() {
		from := time.Now()
		time.Sleep(nap)
		over := time.Since(from) - nap
		if over < 0 {
			early++
		}
		late += over
	}
	b.ReportMetric(float64(late.Nanoseconds())/float64(b.N), "late-ns/op")
	b.ReportMetric(float64(early), "check/op")
}
