// SPDX-License-Identifier: Apache-2.0

// Package memory is process_memory.h for the Go twins: what this process holds, as the kernel sees it, and
// what it took to get it.
package memory

import (
	"bufio"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"
)

type Memory struct {
	resident, pageTables int
	minorFaults          int // since the start
	at                   time.Time
	cold                 time.Duration // how long the first round took
}

func Now() Memory {
	var found Memory
	if status, err := os.Open("/proc/self/status"); err == nil {
		for lines := bufio.NewScanner(status); lines.Scan(); {
			var kib int
			if n, _ := fmt.Sscanf(lines.Text(), "VmRSS: %d", &kib); n == 1 {
				found.resident = kib * 1024
			}
			if n, _ := fmt.Sscanf(lines.Text(), "VmPTE: %d", &kib); n == 1 {
				found.pageTables = kib * 1024
			}
		}
		status.Close()
	}
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) == nil {
		found.minorFaults = int(used.Minflt)
	}
	found.at = time.Now()
	return found
}

// GrowBy takes what came since before, where that is more than in the rounds so far: later ones find
// memory that earlier ones have left.
func (m *Memory) GrowBy(before Memory) {
	after := Now()
	m.resident = max(m.resident, after.resident-before.resident)
	m.pageTables = max(m.pageTables, after.pageTables-before.pageTables)
	m.minorFaults = max(m.minorFaults, after.minorFaults-before.minorFaults)
	if m.cold == 0 {
		m.cold = after.at.Sub(before.at)
	}
}

// Report says it of each of n things: resident memory, that with the page tables, page faults, and the
// time of the first round.
func (m Memory) Report(b *testing.B, n int, thing string) {
	b.ReportMetric(float64(m.resident)/float64(n), "rss-B/"+thing)
	b.ReportMetric(float64(m.resident+m.pageTables)/float64(n), "mem-B/"+thing)
	b.ReportMetric(float64(m.minorFaults)/float64(n), "faults/"+thing)
	b.ReportMetric(float64(m.cold)/float64(n), "cold-ns/"+thing)
}
