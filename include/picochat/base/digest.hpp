// SHA-256, the identity of every artifact, and a fast 64-bit hash for tables.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace picochat::base {

// A SHA-256 as 64 lower-case hex digits.
class Digest {
 public:
  Digest() = default;
  explicit Digest(std::string hex);  // BadInput unless 64 hex digits
  const std::string& hex() const { return hex_; }
  std::string brief() const { return hex_.substr(0, 12); }
  bool empty() const { return hex_.empty(); }
  friend bool operator==(const Digest&, const Digest&) = default;

 private:
  std::string hex_;
};

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(std::string_view bytes);
  Digest finish();  // once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Digest sha256(std::string_view bytes);
Digest sha256_file(const std::filesystem::path& path);

// xxHash3; equal on every host and version of the library.
uint64_t hash64(std::string_view bytes, uint64_t seed = 0);

}  // namespace picochat::base
