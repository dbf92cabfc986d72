// Findings as they come. All are counted; the first of each severity are kept.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "picochat/base/json.hpp"

namespace picochat::honesty {

class Ledger {
 public:
  // A finding has at least kind, severity ("block" or "warn") and message.
  void add(base::Json finding);

  int64_t blocks() const { return blocks_; }
  int64_t warnings() const { return warnings_; }
  int64_t count(const std::string& kind) const;
  int64_t not_listed() const;
  base::Json take_list();  // blocking ones first

 private:
  std::vector<base::Json> blocking_, warning_;
  std::map<std::string, int64_t> counts_;
  int64_t blocks_ = 0, warnings_ = 0;
};

// At most 240 bytes of text[begin, end) on one line, as valid UTF-8.
std::string snippet(std::string_view text, size_t begin, size_t end);

}  // namespace picochat::honesty
