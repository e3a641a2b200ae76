// SPDX-License-Identifier: Apache-2.0
// The pages of the admin and ops servers. The admin server shows and changes everything, so it is
// guarded: loopback or a token, the Host header checked against DNS rebinding, requests that a
// browser makes for another site refused. The ops server shows health and metrics to whoever asks.
#pragma once

#include <string>
#include <vector>

#include "vole/http.h"
#include "vole/log.h"
#include "vole/metrics.h"
#include "vole/service/flags.h"
#include "vole/service/health.h"

namespace vole::service {

struct admin_pages {
  std::string name;
  std::string version;
  log::logger logger;
  metrics::registry registry;
  service::health health;
  std::vector<config_entry> config;
};

// add_ops_pages adds /metrics, /livez and /readyz; with_details also names why a check failed.
void add_ops_pages(http::mux& to, admin_pages const& pages, bool with_details);

// add_admin_pages adds those, the index, /debug/config, /debug/log-level and /debug/pprof/.
void add_admin_pages(http::mux& to, admin_pages const& pages);

// hide_secrets takes the passwords and secrets out of a command line.
void hide_secrets(std::vector<config_entry> const& config, std::vector<std::string>& words);

// admin_guard refuses what the admin server must not answer: without a token, a Host that is not
// loopback; with one, a request without "Authorization: Bearer <token>"; and in both cases what a
// page of another site has sent (Sec-Fetch-Site, Origin).
http::middleware admin_guard(secret<std::string> token);

}  // namespace vole::service
