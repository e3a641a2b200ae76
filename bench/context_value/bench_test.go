// SPDX-License-Identifier: Apache-2.0
// Look a value up that lies below ten others.

package context_value

import (
	"context"
	"testing"
)

type wanted struct{}
type other0 struct{}
type other1 struct{}
type other2 struct{}
type other3 struct{}
type other4 struct{}
type other5 struct{}
type other6 struct{}
type other7 struct{}
type other8 struct{}
type other9 struct{}

func BenchmarkContextValue(b *testing.B) {
	ctx := context.WithValue(context.Background(), wanted{}, int64(7))
	for i, key := range []any{other0{}, other1{}, other2{}, other3{}, other4{}, other5{},
		other6{}, other7{}, other8{}, other9{}} {
		ctx = context.WithValue(ctx, key, int64(i))
	}
	var sum int64
	for b.Loop() {
		sum += ctx.Value(wanted{}).(int64)
	}
	b.ReportMetric(float64(sum)/float64(b.N), "check/op")
}
