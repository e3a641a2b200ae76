// SPDX-License-Identifier: Apache-2.0
// Sleep for a millisecond: how much later than asked the sleeper ran, on average and at the 99th
// percentile.

package sleep_accuracy

import (
	"slices"
	"testing"
	"time"
)

func BenchmarkSleepAccuracy(b *testing.B) {
	const nap = time.Millisecond
	var late []int64
	for b.Loop() {
		from := time.Now()
		time.Sleep(nap)
		late = append(late, (time.Since(from) - nap).Nanoseconds())
	}
	slices.Sort(late)
	sum, early := int64(0), 0
	for _, one := range late {
		sum += one
		if one < 0 {
			early++
		}
	}
	b.ReportMetric(float64(sum)/float64(b.N), "late-ns/op")
	b.ReportMetric(float64(late[len(late)*99/100]), "p99-late-ns")
	b.ReportMetric(float64(early), "check/op")
}
