// SPDX-License-Identifier: Apache-2.0
// Make a context below another one and cancel it.

package context_cancel

import (
	"context"
	"testing"
)

func BenchmarkContextCancel(b *testing.B) {
	parent, cancelParent := context.WithCancel(context.Background())
	defer cancelParent()
	ended := 0
	for b.Loop() {
		ctx, cancel := context.WithCancel(parent)
		cancel()
		if ctx.Err() != nil {
			ended++
		}
	}
	b.ReportMetric(float64(ended)/float64(b.N), "check/op")
}
