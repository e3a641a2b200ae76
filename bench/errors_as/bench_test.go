// SPDX-License-Identifier: Apache-2.0
// Find a typed error below five wraps, and use what it carries. AsType is the faster of Go's two.

package errors_as

import (
	"errors"
	"fmt"
	"testing"
)

type queryError struct{ code int }

func (e *queryError) Error() string { return "query failed" }

func BenchmarkErrorsAs(b *testing.B) {
	var err error = &queryError{code: 1}
	for depth := range 5 {
		err = fmt.Errorf("at depth %d: %w", depth, err)
	}
	found := 0
	for b.Loop() {
		if query, ok := errors.AsType[*queryError](err); ok {
			found += query.code
		}
	}
	b.ReportMetric(float64(found)/float64(b.N), "check/op")
}
