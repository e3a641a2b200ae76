// SPDX-License-Identifier: Apache-2.0
// Take a unit of a semaphore and give it back: alone, and eight goroutines for two units.

package semaphore_bench

import (
	"context"
	"sync"
	"testing"

	"golang.org/x/sync/semaphore"
)

func BenchmarkSemaphore(b *testing.B) {
	ctx := context.Background()
	b.Run("uncontended", func(b *testing.B) {
		units := semaphore.NewWeighted(1)
		sum := 0
		for b.Loop() {
			if err := units.Acquire(ctx, 1); err != nil {
				b.Fatal(err)
			}
			sum++
			units.Release(1)
		}
		b.ReportMetric(float64(sum)/float64(b.N), "check/op")
	})
	b.Run("contended", func(b *testing.B) {
		const goroutines = 8
		units := semaphore.NewWeighted(2)
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
					if err := units.Acquire(ctx, 1); err != nil {
						panic(err)
					}
					own++
					units.Release(1)
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
