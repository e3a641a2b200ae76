// SPDX-License-Identifier: Apache-2.0
// Groups of functions and the wait for them. all_well: ten that return no error; limit: a hundred,
// eight at a time; first_error: one fails, and nine wait until that has ended the group's context.

package errgroup_bench

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"
)

var failed = errors.New("failed")

func BenchmarkErrgroup(b *testing.B) {
	b.Run("all_well", func(b *testing.B) {
		var ran atomic.Int64
		for b.Loop() {
			g, _ := errgroup.WithContext(context.Background())
			for range 10 {
				g.Go(func() error {
					ran.Add(1)
					return nil
				})
			}
			if err := g.Wait(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(ran.Load())/float64(b.N), "check/op")
	})
	b.Run("limit", func(b *testing.B) {
		var ran atomic.Int64
		for b.Loop() {
			g, _ := errgroup.WithContext(context.Background())
			g.SetLimit(8)
			for range 100 {
				g.Go(func() error {
					ran.Add(1)
					return nil
				})
			}
			if err := g.Wait(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(ran.Load())/float64(b.N), "check/op")
	})
	b.Run("first_error", func(b *testing.B) {
		var ended atomic.Int64
		for b.Loop() {
			g, ctx := errgroup.WithContext(context.Background())
			for range 9 {
				g.Go(func() error {
					<-ctx.Done()
					ended.Add(1)
					return ctx.Err()
				})
			}
			g.Go(func() error { return failed })
			if errors.Is(g.Wait(), failed) {
				ended.Add(1)
			}
		}
		b.ReportMetric(float64(ended.Load())/float64(b.N), "check/op")
	})
}
