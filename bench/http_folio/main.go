// SPDX-License-Identifier: Apache-2.0

// folio's price list with Go's standard library: the same answer, request id, trace, access log line, metrics by route,
// profiles on an admin port and a feed that steps every second. Usage: main LISTEN ADMIN STOCKS_CSV
package main

import (
	"context"
	"crypto/rand"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"log/slog"
	"math"
	"net/http"
	_ "net/http/pprof"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type price struct {
	Symbol     string `json:"symbol"`
	PriceMinor int64  `json:"price_minor"`
	AsOf       string `json:"as_of"`
}

type priceList struct {
	Prices []price `json:"prices"`
}

type hub struct {
	mu   sync.RWMutex
	last map[string]price
}

func (h *hub) find(symbol string) (price, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	p, ok := h.last[symbol]
	return p, ok
}

func readMonths(path string) ([][]price, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, err
	}
	var months [][]price
	index := map[string]int{}
	for _, row := range rows[1:] {
		value, err := strconv.ParseFloat(row[2], 64)
		if err != nil {
			return nil, err
		}
		at, ok := index[row[1]]
		if !ok {
			at = len(months)
			index[row[1]] = at
			months = append(months, nil)
		}
		months[at] = append(months[at], price{Symbol: row[0], PriceMinor: int64(math.Round(value * 100))})
	}
	return months, nil
}

func (h *hub) replay(months [][]price) {
	for step := 0; ; step++ {
		now := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
		h.mu.Lock()
		for _, p := range months[step%len(months)] {
			p.AsOf = now
			h.last[p.Symbol] = p
		}
		h.mu.Unlock()
		time.Sleep(time.Second)
	}
}

var bounds = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

type series struct {
	requests, bytes atomic.Int64
	buckets         [15]atomic.Int64
	nanos           atomic.Int64
}

type registry struct {
	mu     sync.RWMutex
	series map[[3]string]*series
}

func (r *registry) with(method, route, status string) *series {
	key := [3]string{method, route, status}
	r.mu.RLock()
	s := r.series[key]
	r.mu.RUnlock()
	if s != nil {
		return s
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.series[key] == nil {
		r.series[key] = new(series)
	}
	return r.series[key]
}

func (s *series) observe(took time.Duration, bytes int) {
	s.requests.Add(1)
	s.bytes.Add(int64(bytes))
	s.nanos.Add(int64(took))
	at := 0
	for at < len(bounds) && took.Seconds() > bounds[at] {
		at++
	}
	s.buckets[at].Add(1)
}

type recorder struct {
	http.ResponseWriter
	status, bytes int
}

func (r *recorder) WriteHeader(status int) { r.status = status; r.ResponseWriter.WriteHeader(status) }
func (r *recorder) Write(b []byte) (int, error) {
	n, err := r.ResponseWriter.Write(b)
	r.bytes += n
	return n, err
}

type scopeKey struct{}
type scope struct{ requestID, traceID, spanID string }

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}

func observe(logger *slog.Logger, metrics *registry, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		s := scope{requestID: r.Header.Get("X-Request-Id"), spanID: randomHex(8)}
		if s.requestID == "" {
			s.requestID = randomHex(16)
		}
		if parts := strings.Split(r.Header.Get("traceparent"), "-"); len(parts) == 4 {
			s.traceID = parts[1]
		} else {
			s.traceID = randomHex(16)
		}
		w.Header().Set("X-Request-Id", s.requestID)
		rec := &recorder{ResponseWriter: w, status: 200}
		r = r.WithContext(context.WithValue(r.Context(), scopeKey{}, s))
		next.ServeHTTP(rec, r)
		took := time.Since(begun)
		metrics.with(r.Method, r.Pattern, strconv.Itoa(rec.status)).observe(took, rec.bytes)
		logger.LogAttrs(r.Context(), slog.LevelInfo, "request",
			slog.String("request_id", s.requestID), slog.String("trace_id", s.traceID), slog.String("span_id", s.spanID),
			slog.String("method", r.Method), slog.String("route", r.Pattern), slog.String("path", r.URL.Path),
			slog.Int("status", rec.status), slog.Int("bytes", rec.bytes),
			slog.Float64("duration_ms", float64(took.Microseconds())/1000), slog.String("remote", r.RemoteAddr))
	})
}

func main() {
	if len(os.Args) != 4 {
		log.Fatalf("usage: %s LISTEN ADMIN STOCKS_CSV", os.Args[0])
	}
	months, err := readMonths(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	prices := &hub{last: map[string]price{}}
	go prices.replay(months)
	metrics := &registry{series: map[[3]string]*series{}}
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))

	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/prices", func(w http.ResponseWriter, r *http.Request) {
		var list priceList
		for _, symbol := range strings.Split(r.URL.Query().Get("symbols"), ",") {
			p, ok := prices.find(symbol)
			if !ok {
				http.Error(w, fmt.Sprintf("there is no symbol %s", symbol), http.StatusNotFound)
				return
			}
			list.Prices = append(list.Prices, p)
		}
		body, err := json.Marshal(list)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(body)
	})
	go func() { log.Fatal(http.ListenAndServe(os.Args[2], nil)) }()
	server := &http.Server{
		Addr:              os.Args[1],
		Handler:           observe(logger, metrics, mux),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       75 * time.Second,
	}
	log.Fatal(server.ListenAndServe())
}
