// SPDX-License-Identifier: Apache-2.0
// A call by way of a singleflight group. alone: one caller at a time; leaving: the same, under a
// context that could end the caller's wait; shared: eight goroutines always want the same key.

package singleflight_bench

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sync/singleflight"
)

type quote struct {
	price int
}

func load() (any, error) {
	return &quote{1}, nil
}

func BenchmarkSingleflight(b *testing.B) {
	b.Run("alone", func(b *testing.B) {
		var group singleflight.Group
		sum := 0
		for b.Loop() {
			got, err, _ := group.Do("AAPL", load)
			if err != nil {
				b.Fatal(err)
			}
			sum += got.(*quote).price
		}
		b.ReportMetric(float64(sum)/float64(b.N), "check/op")
	})
	b.Run("leaving", func(b *testing.B) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var group singleflight.Group
		sum := 0
		for b.Loop() {
			select {
			case got := <-group.DoChan("AAPL", load):
				if got.Err != nil {
					b.Fatal(got.Err)
				}
				sum += got.Val.(*quote).price
			case <-ctx.Done():
				b.Fatal(ctx.Err())
			}
		}
		b.ReportMetric(float64(sum)/float64(b.N), "check/op")
	})
	b.Run("shared", func(b *testing.B) {
		const goroutines = 8
		var group singleflight.Group
		var sums [goroutines]int
		var all sync.WaitGroup
		for g := range goroutines {
			share := b.N / goroutines
			if g < b.N%goroutines {
				share++
			}
			all.Go(func() {
				own := 0
				for range share {
					got, err, _ := group.Do("AAPL", func() (any, error) {
						runtime.Gosched() // the others come meanwhile
						return load()
					})
					if err != nil {
						panic(err)
					}
					own += got.(*quote).price
				}
				sums[g] = own
			})
		}
		all.Wait()
		sum := 0
		for _, own := range sums {
			sum += own
		}
		b.ReportMetric(float64(sum)/float64(b.N), "check/op")
	})
}
