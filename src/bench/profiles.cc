// SPDX-License-Identifier: Apache-2.0
//
// Profiles of a run. No shared state.

#include "bench/profiles.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "vole/errors.h"
#include "vole/internal/format.h"
#include "vole/os.h"

namespace vole::bench {
namespace {

struct named {
  std::string_view profile;
  std::string flags::* file;
};
constexpr named whole_run[] = {
    {"allocs", &flags::mem_profile},
    {"block", &flags::block_profile},
    {"mutex", &flags::mutex_profile},
};

error make_folder(std::string const& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) return errors::wrap(errors::from_error_code(failure), "make the folder {}", folder);
  return {};
}

// check_writable finds out what writing the file in the end would meet.
error check_writable(std::string const& file) {
  std::filesystem::path const path(file);
  std::error_code none;
  if (std::filesystem::is_directory(path, none)) {
    return errors::wrap(errors::from_errno(EISDIR), "write {}", file);
  }
  std::string const folder = path.has_parent_path() ? path.parent_path().string() : ".";
  if (access(folder.c_str(), W_OK | X_OK) == 0) return {};
  return errors::wrap(errors::from_errno(errno), "write {}", file);
}

// Go samples one wait for every rate ns of waiting; here it is one for every rate ns of a thread's
// time. With 1 both take every one.
int samples_per_second(std::int64_t rate) {
  constexpr std::int64_t ns_per_second = 1'000'000'000;
  return rate <= 0 ? 0 : static_cast<int>(std::max<std::int64_t>(ns_per_second / rate, 1));
}

void set_rates(flags const& options) {
  if (options.mem_profile_rate > 0) {
    pprof::set_heap_rate(static_cast<std::size_t>(options.mem_profile_rate));
  }
  bool const blocks = !options.block_profile.empty() && options.block_profile_rate >= 0;
  bool const mutexes = !options.mutex_profile.empty() && options.mutex_profile_fraction >= 0;
  int const all = samples_per_second(1);
  int const by_mutexes = mutexes && options.mutex_profile_fraction > 0 ? all : 0;
  int const by_blocks = blocks ? samples_per_second(options.block_profile_rate) : 0;
  if (blocks || mutexes) pprof::set_contention_rate(std::max(by_blocks, by_mutexes));
}

}  // namespace

std::string output_path(flags const& options, std::string const& file) {
  if (options.output_dir.empty() || file.starts_with('/')) return file;
  return options.output_dir + '/' + file;
}

std::string file_stem(std::string_view full_name) {
  std::string stem;
  for (char const c : full_name) {
    if (c == '/') {
      stem += '_';
    } else if (c == '_' || c == '%') {
      stem += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      stem += c;
    }
  }
  return stem;
}

error run_profiles::start() {
  for (named const& n : whole_run) {
    if (!(options_.*n.file).empty() && pprof::lookup(n.profile) == nullptr) {
      return errors::make("this vole has no profile '{}'", n.profile);
    }
  }
  for (std::string const* file : {&options_.cpu_profile, &options_.mem_profile,
                                  &options_.block_profile, &options_.mutex_profile}) {
    if (!file->empty()) VOLE_TRY(check_writable(output_path(options_, *file)), "profile the run");
  }
  if (!options_.profile_each.empty()) {
    std::string const folder = output_path(options_, options_.profile_each);
    VOLE_TRY(make_folder(folder), "profile each benchmark");
    VOLE_TRY(check_writable(folder + "/x"), "profile each benchmark");
  }
  set_rates(options_);
  if (options_.cpu_profile.empty()) return {};
  auto cpu = VOLE_TRY(pprof::start_cpu(), "start the CPU profile");
  cpu_.emplace(std::move(cpu));
  return {};
}

error run_profiles::write_named(std::string_view profile, std::string const& file) const {
  if (file.empty()) return {};
  return os::write_file_atomic(output_path(options_, file), pprof::lookup(profile)->write(0));
}

error run_profiles::finish() {
  if (cpu_)
    VOLE_TRY(os::write_file_atomic(output_path(options_, options_.cpu_profile), cpu_->stop()),
             "write the CPU profile");
  for (named const& n : whole_run) {
    VOLE_TRY(write_named(n.profile, options_.*n.file), "write the {} profile", n.profile);
  }
  return {};
}

benchmark_profiles::benchmark_profiles(flags const& options, std::string_view full_name) {
  if (options.profile_each.empty()) return;
  stem_ = output_path(options, options.profile_each) + '/' + file_stem(full_name);
}

error benchmark_profiles::start() {
  if (stem_.empty()) return {};
  VOLE_TRY(make_folder(std::filesystem::path(stem_).parent_path()), "profile each benchmark");
  auto cpu = VOLE_TRY(pprof::start_cpu(), "start the CPU profile");
  cpu_.emplace(std::move(cpu));
  if (auto const* const allocs = pprof::lookup("allocs")) allocs_.emplace(allocs->begin_delta());
  return {};
}

error benchmark_profiles::finish() {
  if (!cpu_) return {};
  VOLE_TRY(os::write_file_atomic(stem_ + ".cpu.pb.gz", cpu_->stop()), "write the CPU profile");
  if (allocs_) {
    VOLE_TRY(os::write_file_atomic(stem_ + ".allocs.pb.gz", allocs_->finish()),
             "write the allocs profile");
  }
  return {};
}

}  // namespace vole::bench
