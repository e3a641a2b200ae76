// SPDX-License-Identifier: Apache-2.0

// The same service with Go's net/http and net/http/pprof. See run.sh.
package main

import (
	"fmt"
	"log"
	"net/http"
	"net/http/pprof"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
)

const linesPerPage = 50

type shop struct {
	mu     sync.Mutex
	visits uint64
	last   int
}

func (s *shop) page(w http.ResponseWriter, r *http.Request) {
	var lines []string
	for i := 0; i < linesPerPage; i++ {
		lines = append(lines, fmt.Sprintf("article %d costs %d cents, seen by many\n", i, 100*i))
	}
	text := strings.Join(lines, "")
	s.mu.Lock()
	s.visits++
	s.last = len(text)
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte(text))
}

func serve(address string, handler http.Handler) {
	server := &http.Server{
		Addr: address, Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 75 * time.Second,
	}
	log.Fatal(server.ListenAndServe())
}

func main() {
	off := len(os.Args) == 3 && os.Args[2] == "off"
	on := len(os.Args) == 4 && (os.Args[2] == "on" || os.Args[2] == "all")
	if !off && !on {
		log.Fatalf("usage: %s ADDRESS off | ADDRESS on PPROF_ADDRESS | ADDRESS all PPROF_ADDRESS", os.Args[0])
	}
	if off {
		runtime.MemProfileRate = 0
	} else {
		profiles := http.NewServeMux()
		profiles.HandleFunc("/debug/pprof/", pprof.Index)
		profiles.HandleFunc("/debug/pprof/profile", pprof.Profile)
		go serve(os.Args[3], profiles)
		// What Go leaves off and vole has on.
		if os.Args[2] == "all" {
			runtime.SetBlockProfileRate(1)
			runtime.SetMutexProfileFraction(1)
		}
	}
	pages := http.NewServeMux()
	here := &shop{}
	pages.HandleFunc("GET /page", here.page)
	serve(os.Args[1], pages)
}
