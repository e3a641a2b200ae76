// SPDX-License-Identifier: Apache-2.0
// Give the processor to the next goroutine; 32 goroutines per processor do so in turn.

package yield

import (
	"runtime"
	"sync/atomic"
	"testing"
)

func BenchmarkYield(b *testing.B) {
	var yields atomic.Int64
	b.SetParallelism(32)
	b.RunParallel(func(turns *testing.PB) {
		own := int64(0)
		for ; turns.Next(); own++ {
			runtime.Gosched()
		}
		yields.Add(own)
	})
	b.ReportMetric(float64(yields.Load())/float64(b.N), "check/op")
}
