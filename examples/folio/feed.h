// SPDX-License-Identifier: Apache-2.0
// feed: real monthly prices replayed month by month, and the hub that hands them on.
//
// INVARIANTS
//   A subscriber's queue is bounded; when it is full its oldest price goes: the publisher never
//   waits for a reader.
//   price_hub::mu_ is never held over a wait; each queue has one publisher at a time (under mu_)
//   and one reader.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vole/chan.h"
#include "vole/result.h"
#include "vole/sync.h"

#include "model.h"

namespace folio {

// One line of the price file.
struct quote {
  std::string symbol;
  std::int64_t price_minor = 0;
};

// price_series is the file in the order of its months: step 0 is the first month.
class price_series {
 public:
  struct parsed;
  // parse reads "symbol,date,price" lines with dates like "Jan 1 2000". A malformed line is skipped
  // and described in
  // problems as "file:line: reason". Errors: no usable line at all.
  static vole::result<parsed> parse(std::string_view text, std::string_view file);

  std::size_t steps() const noexcept { return months_.size(); }
  std::vector<quote> const& at(std::size_t step) const noexcept {
    return months_[step % months_.size()];
  }

 private:
  std::vector<std::vector<quote>> months_;
};

struct price_series::parsed {
  price_series series;
  std::vector<std::string> problems;
};

// price_hub holds the last price of each symbol and passes changes to its subscribers.
// Safety: any goroutine.
class price_hub {
 public:
  class subscription {
   public:
    subscription(price_hub& hub, std::vector<std::string> symbols);
    ~subscription();
    subscription(subscription const&) = delete;
    subscription& operator=(subscription const&) = delete;

    vole::chan<price> const& prices() const noexcept { return queue_; }

   private:
    friend class price_hub;
    bool wants(std::string_view symbol) const noexcept;

    price_hub& hub_;
    std::vector<std::string> symbols_;  // none: all
    vole::chan<price> queue_;
  };

  // publish sets prices and tells the subscribers of each that changed.
  void publish(std::vector<price> const& changes);
  std::optional<price> find(std::string_view symbol) const;
  std::vector<price> all() const;
  std::size_t subscribers() const;

 private:
  static constexpr std::size_t queue_max = 64;

  mutable vole::sync::rw_mutex mu_;
  std::vector<price> last_;               // sorted by symbol; guarded by mu_
  std::list<subscription*> subscribers_;  // guarded by mu_
};

}  // namespace folio
