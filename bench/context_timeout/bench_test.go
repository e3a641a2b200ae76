// SPDX-License-Identifier: Apache-2.0
// Make a context with a timeout below another one and cancel it in time.

package context_timeout

import (
	"context"
	"testing"
	"time"
)

func BenchmarkContextTimeout(b *testing.B) {
	parent, cancelParent := context.WithCancel(context.Background())
	defer cancelParent()
	ended := 0
	for b.Loop() {
		ctx, cancel := context.WithTimeout(parent, time.Hour)
		cancel()
		if ctx.Err() != nil {
			ended++
		}
	}
	b.ReportMetric(float64(ended)/float64(b.N), "check/op")
}
