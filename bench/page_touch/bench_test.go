// SPDX-License-Identifier: Apache-2.0
// The floor of start_parked: touch one fresh page in each 256 KiB, as many as goroutines are
// started there (1m: VOLE_PARKED); guarded: after a guard was put on another page of each. The
// kernel does all of the work, so the two sides differ by noise only. warm-ns: to read them all
// once more.

package page_touch

import (
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"vole/bench/memory"
)

const (
	stride           = 256 << 10
	madvGuardInstall = 102 // Linux 6.13
)

func touchPages(b *testing.B, pages int, guarded bool) {
	touched := 0
	var grown memory.Memory
	var warm time.Duration
	for b.Loop() {
		b.StopTimer()
		low, err := syscall.Mmap(-1, 0, pages*stride, syscall.PROT_READ|syscall.PROT_WRITE,
			syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_NORESERVE)
		if err != nil {
			b.Fatal(err)
		}
		syscall.Madvise(low, syscall.MADV_NOHUGEPAGE)
		before := memory.Now()
		b.StartTimer()
		for page := 0; page < len(low); page += stride {
			if guarded {
				guard := page + stride/2
				if syscall.Madvise(low[guard:guard+4096], madvGuardInstall) != nil {
					b.Skip("the kernel has no guards")
				}
			}
			low[page] = 1
		}
		b.StopTimer()
		grown.GrowBy(before)
		again := time.Now()
		for page := 0; page < len(low); page += stride {
			touched += int(low[page])
		}
		warm += time.Since(again)
		syscall.Munmap(low)
		b.StartTimer()
	}
	grown.Report(b, pages, "page")
	b.ReportMetric(float64(warm)/float64(pages*b.N), "warm-ns/page")
	b.ReportMetric(float64(touched)/float64(b.N), "check/op")
}

func BenchmarkPageTouch(b *testing.B) {
	b.Run("100k", func(b *testing.B) { touchPages(b, 100_000, false) })
	b.Run("100k_guarded", func(b *testing.B) { touchPages(b, 100_000, true) })
	b.Run("1m", func(b *testing.B) {
		pages := 1_000_000
		if n, err := strconv.Atoi(os.Getenv("VOLE_PARKED")); err == nil {
			pages = n
		}
		touchPages(b, pages, false)
	})
}
