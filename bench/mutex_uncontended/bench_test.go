// SPDX-License-Identifier: Apache-2.0
// Lock and unlock a mutex that nobody else wants.

package mutex_uncontended

import (
	"sync"
	"testing"
)

func BenchmarkMutexUncontended(b *testing.B) {
	var mu sync.Mutex
	sum := 0
	for b.Loop() {
		mu.Lock()
		sum++
		mu.Unlock()
	}
	b.ReportMetric(float64(sum)/float64(b.N), "check/op")
}
