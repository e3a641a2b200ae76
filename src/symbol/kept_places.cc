// SPDX-License-Identifier: Apache-2.0
// No shared state.
#include "symbol/kept_places.h"

#include <algorithm>
#include <functional>
#include <string>

namespace vole::symbol {
namespace {

std::uint64_t hash_of_text(std::string_view text) {
  return std::hash<std::string_view>{}(text);
}

std::uint64_t hash_of_place(std::uint64_t file_hash, std::uint64_t address) {
  std::uint64_t const h = (file_hash ^ address) * 0x9e3779b97f4a7c15;
  return h ^ (h >> 32);
}

template <class T>
std::size_t bytes_of(std::vector<T> const& v) {
  return v.capacity() * sizeof(T);
}

}  // namespace

// --- texts ---

std::string_view text_pool::store(std::string_view text) {
  if (text.empty()) return {};
  if (chunk_bytes - chunk_used_ < text.size()) {
    std::size_t const bytes = std::max(chunk_bytes, text.size());
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(bytes));
    bytes_of_chunks_ += bytes;
    chunk_used_ = 0;
  }
  char* const to = chunks_.back().get() + chunk_used_;
  std::ranges::copy(text, to);
  // A text that is longer than a chunk leaves no room behind it.
  chunk_used_ = std::min(chunk_bytes, chunk_used_ + text.size());
  return {to, text.size()};
}

std::uint32_t text_pool::id_of(std::string_view text) {
  std::uint32_t const known =
      by_text_.find(hash_of_text(text), [&](std::uint32_t i) { return texts_[i] == text; });
  if (known != index_table::none) return known;
  texts_.push_back(store(text));
  by_text_.enter([&](std::uint32_t i) { return hash_of_text(texts_[i]); });
  return static_cast<std::uint32_t>(texts_.size() - 1);
}

std::size_t text_pool::bytes() const {
  return bytes_of_chunks_ + bytes_of(chunks_) + bytes_of(texts_) + by_text_.bytes();
}

// --- places ---

bool kept_places::get(std::string_view file, std::uint64_t address, symbolized* to) const {
  std::uint64_t const file_hash = hash_of_text(file);
  std::uint32_t const at =
      all_.by_place.find(hash_of_place(file_hash, address), [&](std::uint32_t i) {
        place const& p = all_.places[i];
        return p.address == address && p.file_hash == file_hash && all_.texts.text(p.file) == file;
      });
  if (at == index_table::none) return false;
  place const& p = all_.places[at];
  to->function_start = static_cast<std::uintptr_t>(p.function_start);
  to->frames.clear();
  to->frames.reserve(p.frame_count);
  for (std::uint32_t i = p.first_frame; i < p.first_frame + p.frame_count; ++i) {
    frame const& f = all_.frames[i];
    to->frames.push_back({.function = std::string(all_.texts.text(f.function)),
                          .mangled = std::string(all_.texts.text(f.mangled)),
                          .file = std::string(all_.texts.text(f.file)),
                          .line = f.line,
                          .inlined = f.inlined});
  }
  return true;
}

void kept_places::put(std::string_view file, std::uint64_t address, symbolized const& found) {
  contents& c = all_;
  place const made{.file_hash = hash_of_text(file),
                   .address = address,
                   .function_start = found.function_start,
                   .file = c.texts.id_of(file),
                   .first_frame = static_cast<std::uint32_t>(c.frames.size()),
                   .frame_count = static_cast<std::uint32_t>(found.frames.size())};
  for (source_frame const& f : found.frames) {
    c.frames.push_back({.function = c.texts.id_of(f.function),
                        .mangled = c.texts.id_of(f.mangled),
                        .file = c.texts.id_of(f.file),
                        .line = f.line,
                        .inlined = f.inlined});
  }
  c.places.push_back(made);
  c.by_place.enter(
      [&](std::uint32_t i) { return hash_of_place(c.places[i].file_hash, c.places[i].address); });
  if (bytes() > bytes_max_) clear();
}

void kept_places::clear() {
  all_ = contents{};
}

std::size_t kept_places::bytes() const {
  return all_.texts.bytes() + bytes_of(all_.frames) + bytes_of(all_.places) + all_.by_place.bytes();
}

}  // namespace vole::symbol
