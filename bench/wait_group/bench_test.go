// SPDX-License-Identifier: Apache-2.0
// Add, done and wait where nobody has to wait; one wait group per goroutine.

package wait_group

import (
	"sync"
	"sync/atomic"
	"testing"
)

func BenchmarkWaitGroup(b *testing.B) {
	var sum atomic.Int64
	b.RunParallel(func(turns *testing.PB) {
		var wg sync.WaitGroup
		own := int64(0)
		for ; turns.Next(); own++ {
			wg.Add(1)
			wg.Done()
			wg.Wait()
		}
		sum.Add(own)
	})
	b.ReportMetric(float64(sum.Load())/float64(b.N), "check/op")
}
