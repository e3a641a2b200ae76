// SPDX-License-Identifier: Apache-2.0
#pragma once
// {fmt}, with its largest function compiled once in libfmt and not in every file that writes to a
// string: that is 4 of 6 seconds of a small file's compilation.

#include <fmt/format.h>

#if FMT_VERSION < 100000  // later versions declare it themselves
FMT_BEGIN_NAMESPACE
namespace detail {
extern template void vformat_to<char>(buffer<char>& to, basic_string_view<char> text,
                                      basic_format_args<FMT_BUFFER_CONTEXT(char)> arguments,
                                      locale_ref locale);
}  // namespace detail
FMT_END_NAMESPACE
#endif
