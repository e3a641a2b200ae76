// SPDX-License-Identifier: Apache-2.0
// Write a struct of ten prices as JSON.

package json_encode

import (
	"encoding/json"
	"testing"
)

type price struct {
	Symbol     string `json:"symbol"`
	PriceMinor int64  `json:"price_minor"`
	AsOf       string `json:"as_of"`
}

type answer struct {
	Prices []price `json:"prices"`
}

func BenchmarkJsonEncode(b *testing.B) {
	list := answer{}
	for range 10 {
		list.Prices = append(list.Prices, price{"AAPL", 18912, "2026-01-02T03:04:05Z"})
	}
	bytes := 0
	for b.Loop() {
		text, err := json.Marshal(&list)
		if err != nil {
			b.Fatal(err)
		}
		bytes += len(text)
	}
	b.ReportMetric(float64(bytes)/float64(b.N), "check/op")
}
