// SPDX-License-Identifier: Apache-2.0
// A million timers are armed, each to run a function; one after the other is set anew to its own
// timeout, as a server moves a connection's deadline at each request.

package timer_1m_pending

import (
	"testing"
	"time"
)

const pending = 1_000_000

// A cheap spread over an hour, the same in both languages.
func someTime(i uint64) time.Duration {
	return time.Hour + time.Duration((i*2654435761)%3_600_000_000)*time.Microsecond
}

func BenchmarkTimer1mPending(b *testing.B) {
	timers := make([]*time.Timer, pending)
	for i := range timers {
		timers[i] = time.AfterFunc(someTime(uint64(i)), func() {})
	}
	turn, wasArmed := uint64(0), 0
	for b.Loop() {
		if timers[turn%pending].Reset(someTime(turn % pending)) {
			wasArmed++
		}
		turn++
	}
	b.ReportMetric(float64(wasArmed)/float64(b.N), "check/op")
	for _, t := range timers {
		t.Stop()
	}
}
