// SPDX-License-Identifier: Apache-2.0
// Find a sentinel below five wraps.

package errors_is

import (
	"errors"
	"fmt"
	"testing"
)

var errNoRows = errors.New("no rows")

func BenchmarkErrorsIs(b *testing.B) {
	err := errNoRows
	for depth := range 5 {
		err = fmt.Errorf("at depth %d: %w", depth, err)
	}
	found := 0
	for b.Loop() {
		if errors.Is(err, errNoRows) {
			found++
		}
	}
	b.ReportMetric(float64(found)/float64(b.N), "check/op")
}
