// SPDX-License-Identifier: Apache-2.0
// Read an order from JSON into a struct; unknown fields are refused on both sides.

package json_decode

import (
	"bytes"
	"encoding/json"
	"testing"
)

type order struct {
	UserID     string `json:"user_id"`
	Symbol     string `json:"symbol"`
	Side       string `json:"side"`
	Type       string `json:"type"`
	QtyMicro   int64  `json:"qty_micro"`
	LimitMinor *int64 `json:"limit_minor"`
}

func BenchmarkJsonDecode(b *testing.B) {
	text := []byte(`{"user_id":"usr_abc123","symbol":"AAPL","side":"buy","type":"limit",` +
		`"qty_micro":1500000,"limit_minor":18912}`)
	sum := int64(0)
	for b.Loop() {
		var o order
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&o); err != nil {
			b.Fatal(err)
		}
		sum += o.QtyMicro
	}
	b.ReportMetric(float64(sum)/float64(b.N), "check/op")
}
