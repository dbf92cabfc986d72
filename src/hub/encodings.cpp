#include "hub/encodings.hpp"

#include <openssl/evp.h>

#include <memory>

#include "picochat/base/text.hpp"

namespace picochat::hub {

std::string base64(std::string_view bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');  // the library ends it with a zero
  const int written = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(written));
  return out;
}

std::string git_blob_id(std::string_view bytes) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  const std::string head = base::cat("blob ", bytes.size());
  EVP_DigestInit_ex(hash.get(), EVP_sha1(), nullptr);
  EVP_DigestUpdate(hash.get(), head.c_str(), head.size() + 1);
  EVP_DigestUpdate(hash.get(), bytes.data(), bytes.size());
  unsigned char raw[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(hash.get(), raw, &size);
  return base::hex({reinterpret_cast<const char*>(raw), size});
}

}  // namespace picochat::hub
