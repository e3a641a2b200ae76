// SPDX-License-Identifier: Apache-2.0
#include "symbol/lines.h"

#include <algorithm>
#include <dwarf.h>
#include <iterator>
#include <ranges>
#include <utility>

#include "symbol/demangle.h"

namespace vole::symbol {
namespace {

// Calls fn(child) for each child of parent until fn returns false.
template <class Fn>
void for_each_child(Dwarf_Die* parent, Fn&& fn) {
  Dwarf_Die child;
  if (::dwarf_child(parent, &child) != 0) return;
  do {
    if (!fn(child)) return;
  } while (::dwarf_siblingof(&child, &child) == 0);
}

int number(Dwarf_Die* die, unsigned int attribute) {
  Dwarf_Attribute found;
  Dwarf_Word value = 0;
  if (::dwarf_attr(die, attribute, &found) == nullptr) return 0;
  return ::dwarf_formudata(&found, &value) == 0 ? static_cast<int>(value) : 0;
}

// inlined_calls lists the inlined calls that hold address, outermost first.
std::vector<Dwarf_Die> inlined_calls(Dwarf_Die function, std::uint64_t address) {
  std::vector<Dwarf_Die> calls;
  Dwarf_Die parent = function;
  for (bool deeper = true; deeper;) {
    deeper = false;
    for_each_child(&parent, [&](Dwarf_Die& child) {
      int const tag = ::dwarf_tag(&child);
      if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_lexical_block) return true;
      if (::dwarf_haspc(&child, address) != 1) return true;
      if (tag == DW_TAG_inlined_subroutine) calls.push_back(child);
      parent = child;
      deeper = true;
      return false;
    });
  }
  return calls;
}

bool is_class(int tag) {
  return tag == DW_TAG_class_type || tag == DW_TAG_structure_type || tag == DW_TAG_union_type;
}

// What one part of a qualified name is called. A class that has functions and no name is a
// lambda's.
std::string part_name(Dwarf_Die* die) {
  if (char const* const own = ::dwarf_diename(die)) return own;
  int const tag = ::dwarf_tag(die);
  if (tag == DW_TAG_namespace) return "(anonymous namespace)";
  return is_class(tag) ? "{lambda}" : "{unnamed}";
}

// origin_of follows a function to the entry that declares it.
Dwarf_Die origin_of(Dwarf_Die die) {
  for (unsigned int const attribute : {DW_AT_abstract_origin, DW_AT_specification}) {
    Dwarf_Attribute found;
    Dwarf_Die next;
    if (::dwarf_attr(&die, attribute, &found) != nullptr &&
        ::dwarf_formref_die(&found, &next) != nullptr) {
      die = next;
    }
  }
  return die;
}

// for_each_range calls visit(low, high) for each range of addresses of a unit or function.
template <class Visit>
void for_each_range(Dwarf_Die* of, Visit visit) {
  Dwarf_Addr base = 0;
  Dwarf_Addr low = 0;
  Dwarf_Addr high = 0;
  std::ptrdiff_t at = 0;
  while ((at = ::dwarf_ranges(of, at, &base, &low, &high)) > 0) visit(low, high);
}

}  // namespace

line_reader::line_reader(elf_file const& file, unit_index& units)
    : dwarf_(::dwarf_begin_elf(file.get(), DWARF_C_READ, nullptr)), index_(units) {}

std::vector<source_frame> line_reader::frames_at(std::uint64_t address) {
  std::vector<source_frame> frames;
  unit* const in = dwarf_ == nullptr ? nullptr : unit_at(address);
  if (in == nullptr) return frames;

  source_frame place;
  if (Dwarf_Line* const line = ::dwarf_getsrc_die(&in->die, address)) {
    ::dwarf_lineno(line, &place.line);
    place.file = path_of(*in, ::dwarf_linesrc(line, nullptr, nullptr));
  }
  Dwarf_Die function;
  if (!find_function(in, address, &function)) {
    if (!place.file.empty()) frames.push_back(std::move(place));
    return frames;
  }
  // From the innermost inlined call outwards: each was called from where its own entry says.
  for (Dwarf_Die& call : inlined_calls(function, address) | std::views::reverse) {
    name(&call, &place);
    place.inlined = true;
    frames.push_back(std::move(place));
    place = {};
    place.line = number(&call, DW_AT_call_line);
    if (in->files != nullptr) {
      auto const file = static_cast<std::size_t>(number(&call, DW_AT_call_file));
      place.file = path_of(*in, ::dwarf_filesrc(in->files, file, nullptr, nullptr));
    }
  }
  name(&function, &place);
  frames.push_back(std::move(place));
  return frames;
}

line_reader::unit* line_reader::unit_at(std::uint64_t address) {
  Dwarf_Die die;
  if (::dwarf_addrdie(dwarf_.get(), address, &die) == nullptr && !find_in_index(address, &die)) {
    return nullptr;
  }
  unit* const in = &unit_of(die);
  if (in->functions.empty()) {
    collect(&in->die, in);
    std::ranges::sort(in->functions, {}, &function_range::low);
  }
  return in;
}

bool line_reader::find_in_index(std::uint64_t address, Dwarf_Die* found) {
  if (!index_.filled) fill_index();
  auto const after = std::ranges::upper_bound(index_.ranges, address, {}, &unit_index::range::low);
  return after != index_.ranges.begin() && address < std::prev(after)->high &&
         ::dwarf_offdie(dwarf_.get(), std::prev(after)->unit, found) != nullptr;
}

void line_reader::fill_index() {
  index_.filled = true;
  Dwarf_Die die;
  Dwarf_CU* cursor = nullptr;
  while (::dwarf_get_units(dwarf_.get(), cursor, &cursor, nullptr, nullptr, &die, nullptr) == 0) {
    for_each_range(&die, [&](std::uint64_t low, std::uint64_t high) {
      index_.ranges.push_back({low, high, ::dwarf_dieoffset(&die)});
    });
  }
  std::ranges::sort(index_.ranges, {}, &unit_index::range::low);
}

line_reader::unit& line_reader::unit_of(Dwarf_Die die) {
  auto const [at, is_new] = units_.try_emplace(::dwarf_dieoffset(&die));
  unit& made = at->second;
  if (!is_new) return made;
  made.die = die;
  std::size_t file_count = 0;
  ::dwarf_getsrcfiles(&made.die, &made.files, &file_count);
  Dwarf_Attribute directory;
  if (::dwarf_attr(&made.die, DW_AT_comp_dir, &directory) != nullptr) {
    char const* const text = ::dwarf_formstring(&directory);
    made.directory = text == nullptr ? "" : text;
  }
  return made;
}

void line_reader::collect(Dwarf_Die* parent, unit* into) {
  for_each_child(parent, [&](Dwarf_Die& child) {
    int const tag = ::dwarf_tag(&child);
    if (tag == DW_TAG_namespace) collect(&child, into);
    if (tag == DW_TAG_subprogram) add_ranges(&child, into);
    return true;
  });
}

void line_reader::add_ranges(Dwarf_Die* function, unit* into) {
  for_each_range(function, [&](std::uint64_t low, std::uint64_t high) {
    into->functions.push_back({low, high, ::dwarf_dieoffset(function)});
  });
}

// walk finds the scopes of a unit, and the functions that stand in others or in classes.
void line_reader::walk(unit* in) {
  in->scopes.push_back({::dwarf_dieoffset(&in->die), no_scope});
  in->functions.clear();
  walk_below(&in->die, 0, in);
  std::ranges::sort(in->functions, {}, &function_range::low);
}

void line_reader::walk_below(Dwarf_Die* parent, std::size_t outer, unit* into) {
  for_each_child(parent, [&](Dwarf_Die& child) {
    int const tag = ::dwarf_tag(&child);
    bool const is_scope = tag == DW_TAG_namespace || tag == DW_TAG_subprogram || is_class(tag);
    if (tag == DW_TAG_subprogram) add_ranges(&child, into);
    if (is_scope) {
      into->scopes.push_back({::dwarf_dieoffset(&child), outer});
      walk_below(&child, into->scopes.size() - 1, into);
    } else if (tag == DW_TAG_lexical_block) {
      walk_below(&child, outer, into);
    }
    return true;
  });
}

bool line_reader::find_function(unit* in, std::uint64_t address, Dwarf_Die* function) {
  auto const found = [&] {
    auto const after = std::ranges::upper_bound(in->functions, address, {}, &function_range::low);
    return after != in->functions.begin() && address < std::prev(after)->high &&
           ::dwarf_offdie(dwarf_.get(), std::prev(after)->die, function) != nullptr;
  };
  if (found()) return true;
  if (!in->scopes.empty()) return false;
  walk(in);
  return found();
}

void line_reader::name(Dwarf_Die* function, source_frame* frame) {
  for (unsigned int const attribute : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name}) {
    Dwarf_Attribute found;
    if (::dwarf_attr_integrate(function, attribute, &found) == nullptr) continue;
    char const* const text = ::dwarf_formstring(&found);
    if (text == nullptr) continue;
    frame->mangled = text;
    frame->function = demangle(text);
    return;
  }
  frame->function = qualified_name(function);
  frame->mangled = frame->function;
}

std::string line_reader::qualified_name(Dwarf_Die* function) {
  Dwarf_Die origin = origin_of(*function);
  auto const made = qualified_.find(origin.addr);
  if (made != qualified_.end()) return made->second;
  Dwarf_Die unit_die;
  ::dwarf_diecu(&origin, &unit_die, nullptr, nullptr);
  unit& in = unit_of(unit_die);
  if (in.scopes.empty()) walk(&in);
  std::string text;
  auto const self =
      std::ranges::lower_bound(in.scopes, ::dwarf_dieoffset(&origin), {}, &scope::die);
  bool const known = self != in.scopes.end() && self->die == ::dwarf_dieoffset(&origin);
  std::size_t outer = known ? self->outer : no_scope;
  for (; outer != no_scope && outer != 0; outer = in.scopes[outer].outer) {
    Dwarf_Die around;
    if (::dwarf_offdie(dwarf_.get(), in.scopes[outer].die, &around) == nullptr) break;
    if (::dwarf_tag(&around) == DW_TAG_subprogram) {
      // A local class: its function's own entry knows the namespaces better than where it stands.
      source_frame function_around;
      name(&around, &function_around);
      text = function_around.function + "::" + text;
      break;
    }
    text = part_name(&around) + "::" + text;
  }
  text += part_name(&origin);
  return qualified_.insert_or_assign(origin.addr, std::move(text)).first->second;
}

std::string line_reader::path_of(unit const& in, char const* file) const {
  if (file == nullptr) return {};
  if (*file == '/' || in.directory.empty()) return file;
  return in.directory + "/" + file;
}

}  // namespace vole::symbol
