// SPDX-License-Identifier: Apache-2.0
// Give the processor to the next goroutine; 32 goroutines per processor do so in turn.

package yield

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

func BenchmarkYield(b *testing.B) {
	goroutines := 32 * runtime.GOMAXPROCS(0)
	var yields atomic.Int64
	var all sync.WaitGroup
	for g := range goroutines {
		turns := b.N / goroutines
		if g < b.N%goroutines {
			turns++
		}
		all.Go(func() {
			own := 0
			for ; own < turns; own++ {
				runtime.Gosched()
			}
			yields.Add(int64(own))
		})
	}
	all.Wait()
	b.ReportMetric(float64(yields.Load())/float64(b.N), "check/op")
}
