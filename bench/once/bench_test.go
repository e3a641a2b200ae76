// SPDX-License-Identifier: Apache-2.0
// Pass through a once that has been done.

package once

import (
	"sync"
	"sync/atomic"
	"testing"
)

func BenchmarkOnce(b *testing.B) {
	var once sync.Once
	var ran atomic.Int64
	f := func() { ran.Add(1) }
	b.RunParallel(func(turns *testing.PB) {
		for turns.Next() {
			once.Do(f)
		}
	})
	b.ReportMetric(float64(ran.Load()), "check/op")
}
