#include "picochat/base/digest.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <fstream>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::base {

Digest::Digest(std::string hex) : hex_(std::move(hex)) {
  auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (hex_.size() != 64 || !std::all_of(hex_.begin(), hex_.end(), is_hex))
    throw bad_input({.what = "not a SHA-256 digest", .expected = "64 lower-case hex digits", .found = hex_});
}

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) { EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr); }
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) { EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()); }

Digest Sha256::finish() {
  unsigned char raw[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(state_->context, raw, &size);
  return Digest(hex({reinterpret_cast<const char*>(raw), size}));
}

Digest sha256(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

Digest sha256_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw bad_input({.what = "cannot read the file", .where = path.string()});
  Sha256 hash;
  std::vector<char> buffer(1 << 20);
  while (in) {
    in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    hash.update({buffer.data(), static_cast<size_t>(in.gcount())});
  }
  if (in.bad()) throw environment_error({.what = "reading failed", .where = path.string()});
  return hash.finish();
}

uint64_t hash64(std::string_view bytes, uint64_t seed) { return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed); }

}  // namespace picochat::base
