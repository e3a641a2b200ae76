// SPDX-License-Identifier: Apache-2.0
// The rules themselves: that they find what they forbid, and nothing else.
#include "rules.h"

#include <gtest/gtest.h>
#include <string>

#include "functions.h"
#include "source_file.h"

namespace vole::house {
namespace {

std::size_t found(rule which, std::string const& text, std::string const& path = "src/net/x.cc") {
  return which(parse(path, text)).size();
}

TEST(source_file, parts_code_from_comments_and_literals) {
  source_file const file = parse(
      "x.cc",
      "int a = 1'000; // \"one\"\nauto s = \"/* no */ \\\" std::mutex\"; /* b\n c */ f('\"');");
  EXPECT_EQ(file.code[0], "int a = 1'000;         ");
  EXPECT_EQ(file.comments[0], "               // \"one\"");
  EXPECT_EQ(file.code[1].find("mutex"), std::string::npos);
  EXPECT_NE(file.comments[1].find("/* b"), std::string::npos);
  EXPECT_NE(file.code[2].find("f(' ');"), std::string::npos);
}

TEST(source_file, knows_raw_literals) {
  source_file const file = parse("x.cc", "auto s = R\"x(a \" b)\" // c\n)x\"; std::mutex m;");
  EXPECT_EQ(file.comments[0].find("// c"), std::string::npos);
  EXPECT_NE(file.code[1].find("std::mutex m;"), std::string::npos);
}

TEST(rules, find_bans_in_code_only) {
  EXPECT_EQ(found(&banned_words, "std::mutex m;"), 1U);
  EXPECT_EQ(found(&banned_words, "std::lock_guard<sync::mutex> m;  // not std::mutex"), 0U);
  EXPECT_EQ(found(&banned_words, "f(\"std::mutex\");"), 0U);
  EXPECT_EQ(found(&banned_words, "std::mutex m;", "src/runtime/x.cc"), 0U);
  EXPECT_EQ(found(&banned_words, "thread_local int x;"), 1U);
  EXPECT_EQ(found(&banned_words, "std::atomic<int> x;", "src/runtime/x.cc"), 1U);
  EXPECT_EQ(found(&banned_words, "std::atomic<int> x;", "src/base/x.cc"), 0U);
}

TEST(rules, know_libc_sleep_from_ours) {
  EXPECT_EQ(found(&banned_words, "::usleep(1);"), 1U);
  EXPECT_EQ(found(&banned_words, "  sleep(1); ::sleep(n);"), 1U);
  EXPECT_EQ(found(&banned_words, "void sleep(duration d);"), 0U);
  EXPECT_EQ(found(&banned_words, "std::this_thread::sleep_for(1s);"), 1U);
  EXPECT_EQ(found(&banned_words, "time::sleep(1s); clock.sleep(1s); p->sleep(1s);"), 0U);
}

TEST(rules, take_a_waiver_with_a_reason) {
  EXPECT_EQ(found(&banned_words, "std::thread t;  // tidy: std::thread, it is what is tested"), 0U);
  EXPECT_EQ(found(&banned_words, "// tidy: std::thread, it is what is tested\nstd::thread t;"), 0U);
  EXPECT_EQ(found(&banned_words, "std::thread t;  // tidy: std::thread"), 1U);
}

TEST(rules, ban_throw_from_product_code) {
  EXPECT_EQ(found(&thrown_exceptions, "throw 1;"), 1U);
  EXPECT_EQ(found(&thrown_exceptions, "throw;"), 0U);  // somebody else's goes on
  EXPECT_EQ(found(&thrown_exceptions, "throw 1;", "src/net/x_test.cc"), 0U);
}

TEST(rules, want_a_partner_for_each_ordering) {
  EXPECT_EQ(found(&unpartnered_orders, "x.load(memory_order_acquire);"), 1U);
  EXPECT_EQ(found(&unpartnered_orders, "x.load(memory_order_acquire);  // pairs with x.cc:f"), 0U);
  EXPECT_EQ(found(&unpartnered_orders, "// pairs with x.cc:f\nx.load(\n    memory_order_acquire);"),
            0U);
  EXPECT_EQ(found(&unpartnered_orders, "// pairs with x.cc:f\n\nx.load(memory_order_acquire);"),
            1U);
  EXPECT_EQ(found(&unpartnered_orders, "x.load(memory_order_relaxed);"), 0U);
  EXPECT_EQ(found(&unpartnered_orders, "using internal::memory_order_acquire;"), 0U);
}

TEST(rules, want_try_alone) {
  EXPECT_EQ(found(&try_in_expression, "{ VOLE_TRY(f(a, b), \"x\"); }"), 0U);
  EXPECT_EQ(found(&try_in_expression,
                  "{ auto a = VOLE_TRY(f(),\n \"x\");\n auto& [b, c] = VOLE_TRY(g(), \"y\"); }"),
            0U);
  EXPECT_EQ(
      found(&try_in_expression, "{ if (a(b)) VOLE_TRY(f(), \"x\"); else VOLE_TRY(g(), \"y\"); }"),
      0U);
  EXPECT_EQ(found(&try_in_expression, "f(VOLE_TRY(g(), \"x\"));"), 1U);
  EXPECT_EQ(found(&try_in_expression, "auto a = 1 + VOLE_TRY(g(), \"x\");"), 1U);
  EXPECT_EQ(found(&try_in_expression, "auto a = VOLE_TRY(g(), \"x\") + 1;"), 1U);
  EXPECT_EQ(found(&try_in_expression, "if (VOLE_TRY(g(), \"x\")) f();"), 1U);
  EXPECT_EQ(found(&try_in_expression, "auto a = VOLE_TRY(VOLE_TRY(g(), \"x\"), \"y\");"), 1U);
  EXPECT_EQ(found(&try_in_expression, "return VOLE_TRY(g(), \"x\");"), 1U);
  EXPECT_EQ(found(&try_in_expression, "for (auto x : VOLE_TRY(g(), \"x\")) f();"), 1U);
  EXPECT_EQ(found(&try_in_expression, "if (a == VOLE_TRY(g(), \"x\")) f();"), 1U);
}

TEST(rules, measure_lines_in_characters) {
  EXPECT_EQ(found(&wide_lines, std::string(100, 'x')), 0U);
  EXPECT_EQ(found(&wide_lines, std::string(101, 'x')), 1U);
  EXPECT_EQ(found(&wide_lines, std::string(98, 'x') + "\u00b5\u00b5"), 0U);
}

TEST(rules, find_what_is_unfinished) {
  EXPECT_EQ(found(&unfinished_work, std::string("// TO") + "DO: later"), 1U);
  EXPECT_EQ(found(&unfinished_work, "// todos of the user"), 0U);
}

TEST(rules, want_the_licence_first) {
  EXPECT_EQ(found(&missing_spdx, "// SPDX-License-Identifier: Apache-2.0\n"), 0U);
  EXPECT_EQ(found(&missing_spdx, "#pragma once\n// SPDX-License-Identifier: Apache-2.0\n"), 1U);
}

// A function of n lines, its head and its braces included.
std::string function_of(std::size_t lines, std::string const& head = "int f(int a) {\n") {
  std::string text = head;
  for (std::size_t i = 2; i < lines; ++i) text += "  g();\n";
  return text + "}\n";
}

TEST(rules, measure_functions) {
  EXPECT_EQ(found(&long_functions, function_of(70)), 0U);
  EXPECT_EQ(found(&long_functions, function_of(71)), 1U);
  EXPECT_EQ(found(&long_functions,
                  "namespace a {\nclass b : public c<d> {\n" + function_of(71) + "};\n}\n"),
            1U);
  EXPECT_EQ(found(&long_functions,
                  function_of(71, "template <class T>\nx::x(T t) : a_(t), b_{1}, c_{f({2})} {\n")),
            1U);
  EXPECT_EQ(found(&long_functions, function_of(71, "TEST(a, b) {\n")), 1U);
  EXPECT_EQ(found(&long_functions, function_of(71, "struct x f() const noexcept {\n")), 1U);
  EXPECT_EQ(found(&long_functions, "// tidy: long function, a table\n" + function_of(71)), 0U);
}

TEST(rules, know_functions_from_types_and_data) {
  std::string body(90, '\n');
  EXPECT_EQ(found(&long_functions, "struct x {" + body + "};"), 0U);
  EXPECT_EQ(found(&long_functions, "class [[nodiscard]] x : public y<z(int)> {" + body + "};"), 0U);
  EXPECT_EQ(found(&long_functions, "class VOLE_CAPABILITY(\"x\") x {" + body + "};"), 0U);
  EXPECT_EQ(found(&long_functions, "extern \"C\" {" + body + "}"), 0U);
  EXPECT_EQ(found(&long_functions, "enum class e : int {" + body + "};"), 0U);
  EXPECT_EQ(found(&long_functions, "int const table[] = {" + body + "};"), 0U);
  EXPECT_EQ(found(&long_functions, "namespace a::b {" + body + "}"), 0U);
  EXPECT_EQ(functions_of(parse("x.cc", "void f() {\n auto g = [] {\n };\n}\nvoid h() {}\n")).size(),
            2U);
}

TEST(rules, find_contexts_in_members) {
  EXPECT_EQ(found(&unsaid_contexts, "struct a {\n  context ctx;\n};"), 1U);
  EXPECT_EQ(found(&unsaid_contexts, "class a {\n  context const ctx_;\n};"), 1U);
  EXPECT_EQ(found(&unsaid_contexts, "class a {\n  vole::context const& ctx_;\n};"), 1U);
  EXPECT_EQ(found(&unsaid_contexts, "struct a {\n  std::optional<context> base = {};\n};"), 1U);
  EXPECT_EQ(found(&unsaid_contexts, "struct a {\n  context::stored ctx;\n};"), 0U);
  EXPECT_EQ(found(&unsaid_contexts, "void f() {\n  context const outer = req.ctx();\n}"), 0U);
  EXPECT_EQ(found(&unsaid_contexts, "error f(context const& ctx);\ncontext g();"), 0U);
  EXPECT_EQ(found(&unsaid_contexts, "void f(int i,\n       context const& ctx = context());"), 0U);
  EXPECT_EQ(found(&unsaid_contexts, "struct a {\n  fiber context;\n};"), 0U);
}

}  // namespace
}  // namespace vole::house
