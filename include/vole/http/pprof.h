// SPDX-License-Identifier: Apache-2.0
// http/pprof.h: the profiles of vole/pprof.h over HTTP, for `go tool pprof
// http://host:port/debug/pprof/profile`.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "vole/http/mux.h"

namespace vole::http {

// handle_pprof registers the pages of Go's net/http/pprof below /debug/pprof/:
//
//   (index)       HTML: what there is, what question it answers, links to flame graphs
//   NAME          any profile of pprof::profiles(): heap, goroutine, ...
//                 ?debug=0 proto, 1 counts per stack, 2 (goroutine) a dump of each; ?seconds=N:
//                 what changed meanwhile
//   profile       CPU profile over ?seconds=N (30)
//   wall          the same for time that passes, waiting included; also at /debug/fgprof
//   delta_NAME    heap, block or mutex: what changed since the same scraper came last
//   symbol        names of program counters, in the query or the body of a POST: 0x1234+0x5678
//   cmdline       the command line, arguments divided by NUL, as pprof_options::show_arguments
//                 leaves them
//
// Each profile comes as a page for the browser with ?format=flamegraph (and &type=alloc_space).
//
// They show code, stacks and the command line: give them a mux of their own on a private address,
// never the one of the public service. Any number of requests may capture at the same time; one
// that is given up ends its capture.
// Source: Go net/http/pprof. Differs: captures overlap; flame graphs; trace is not there: 501.
struct pprof_options {
  // Changes the words of the command line before they are shown: a password must not be.
  std::function<void(std::vector<std::string>& words)> show_arguments = {};
};
void handle_pprof(mux& pages, pprof_options options = {});

}  // namespace vole::http
