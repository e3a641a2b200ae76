// SPDX-License-Identifier: Apache-2.0
// Make a tree of 10,000 contexts, ten below each, cancel its root after done() of every one
// was asked for, and look that each is closed.

package context_tree_watched

import (
	"context"
	"testing"
)

const treeSize = 10_000

type made struct {
	ctx    context.Context
	cancel context.CancelFunc
}

var sink <-chan struct{}

func BenchmarkContextTreeWatched(b *testing.B) {
	ended := 0
	tree := make([]made, 0, treeSize)
	for b.Loop() {
		ctx, cancel := context.WithCancel(context.Background())
		tree = append(tree, made{ctx, cancel})
		for i := 0; len(tree) < treeSize; i++ {
			for child := 0; child < 10 && len(tree) < treeSize; child++ {
				ctx, cancel := context.WithCancel(tree[i].ctx)
				tree = append(tree, made{ctx, cancel})
			}
		}
		for _, m := range tree {
			sink = m.ctx.Done()
		}
		tree[0].cancel()
		for _, m := range tree {
			if _, ok := <-m.ctx.Done(); !ok {
				ended++
			}
		}
		for _, m := range tree {
			m.cancel()
		}
		clear(tree)
		tree = tree[:0]
	}
	b.ReportMetric(float64(ended)/float64(b.N), "check/op")
}
