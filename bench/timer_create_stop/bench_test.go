// SPDX-License-Identifier: Apache-2.0
// Make a timer that is due in an hour and stop it.

package timer_create_stop

import (
	"testing"
	"time"
)

func BenchmarkTimerCreateStop(b *testing.B) {
	stopped := 0
	for b.Loop() {
		t := time.NewTimer(time.Hour)
		if t.Stop() {
			stopped++
		}
	}
	b.ReportMetric(float64(stopped)/float64(b.N), "check/op")
}
