// SPDX-License-Identifier: Apache-2.0
#pragma once
// The words of benchstat's little languages: filters and projections. No shared state.

#include <cstddef>
#include <memory>
#include <optional>
#include <re2/re2.h>
#include <string>
#include <string_view>

namespace vole::benchstat {

// expression_error is the first thing wrong with an expression.
struct expression_error {
  std::string expression;
  std::size_t offset;  // in bytes
  std::string what;

  // text has the expression in a line of its own, and a mark below the place.
  std::string text() const;
};

enum class word_kind : unsigned char {
  end,
  bare,
  quoted,
  regexp,
  and_word,
  or_word,
  open,
  close,
  colon,
  at,
  comma,
  minus,
  star,
};

struct word {
  word_kind kind = word_kind::end;
  std::size_t offset = 0;
  std::string text = {};  // a quoted word's without quotes
  std::shared_ptr<re2::RE2 const> regexp = nullptr;

  bool is_plain() const { return kind == word_kind::bare || kind == word_kind::quoted; }
};

// words reads an expression from left to right. A copy is a second place in the same expression;
// copies share the first error, and after an error a reader sees only the end.
class words {
 public:
  explicit words(std::string_view expression);

  // next reads a word; a '/' begins a regular expression only where one may stand.
  word next(bool regexp_may_stand = false);
  // peek looks at it and moves over white space only.
  word peek(bool regexp_may_stand = false);
  // refuse records that what stands here is wrong, and moves to the end.
  void refuse(std::string what);
  // expect_end refuses what is left.
  void expect_end();

  std::optional<expression_error> const& error() const { return shared_->error; }

 private:
  struct common {
    std::string expression;
    std::optional<expression_error> error;
  };

  std::size_t offset() const { return shared_->expression.size() - rest_.size(); }
  void skip_space();
  word cut(word_kind kind, std::size_t bytes);
  word refused(std::string what);
  word quoted_word();
  word bare_word();
  word regexp_word();

  std::shared_ptr<common> shared_;
  std::string_view rest_;
};

}  // namespace vole::benchstat
