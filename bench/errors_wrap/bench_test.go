// SPDX-License-Identifier: Apache-2.0
// Put words with one argument in front of an error.

package errors_wrap

import (
	"errors"
	"fmt"
	"testing"
)

func BenchmarkErrorsWrap(b *testing.B) {
	cause := errors.New("connection refused")
	wrapped := 0
	id := 0
	for b.Loop() {
		id++
		err := fmt.Errorf("load portfolio for user %d: %w", id&1023, cause)
		if err != nil {
			wrapped++
		}
	}
	b.ReportMetric(float64(wrapped)/float64(b.N), "check/op")
}
