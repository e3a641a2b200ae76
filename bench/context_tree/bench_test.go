// SPDX-License-Identifier: Apache-2.0
// Make a tree of 10,000 contexts, ten below each, cancel its root and ask every one for its error.

package context_tree

import (
	"context"
	"testing"
)

const treeSize = 10_000

type made struct {
	ctx    context.Context
	cancel context.CancelFunc
}

func BenchmarkContextTree(b *testing.B) {
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
		tree[0].cancel()
		for _, m := range tree {
			if m.ctx.Err() != nil {
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
