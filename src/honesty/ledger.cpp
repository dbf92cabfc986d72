#include "honesty/ledger.hpp"

#include <algorithm>

#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"

namespace picochat::honesty {
namespace {

constexpr size_t kListed = 1000;  // of each severity
constexpr size_t kSnippetBytes = 240;

}  // namespace

void Ledger::add(base::Json finding) {
  ++counts_[finding["kind"].get<std::string>()];
  const bool block = finding["severity"] == "block";
  ++(block ? blocks_ : warnings_);
  std::vector<base::Json>& list = block ? blocking_ : warning_;
  if (list.size() < kListed) list.push_back(std::move(finding));
}

int64_t Ledger::count(const std::string& kind) const {
  auto found = counts_.find(kind);
  return found == counts_.end() ? 0 : found->second;
}

int64_t Ledger::not_listed() const { return blocks_ + warnings_ - static_cast<int64_t>(blocking_.size() + warning_.size()); }

base::Json Ledger::take_list() {
  std::move(warning_.begin(), warning_.end(), std::back_inserter(blocking_));
  warning_.clear();
  return std::move(blocking_);
}

std::string snippet(std::string_view text, size_t begin, size_t end) {
  size_t length = std::min(end - begin, kSnippetBytes);
  while (length > 0 && length < end - begin && (static_cast<unsigned char>(text[begin + length]) & 0xC0) == 0x80) --length;
  std::string out = base::replace_invalid_utf8(text.substr(begin, length));
  return base::replace_all(base::replace_all(std::move(out), "\n", " "), "\r", " ");
}

}  // namespace picochat::honesty
