// `run verify` of a stranger's bundle: as packed bytes (first byte even), or as a tar that is packed here.
#include <zlib.h>

#include "fuzz.hpp"
#include "picochat/evidence/bundle.hpp"

namespace {

std::string packed(std::string_view text) {
  z_stream stream{};
  deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data())), stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data()), stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace picochat;
  if (size == 0) return 0;
  const auto text = fuzz::text_of(data + 1, size - 1);
  const auto path = fuzz::folder().write("bundle.tgz", data[0] % 2 ? packed(text) : std::string(text));
  fuzz::accepted([&] { evidence::verify({.target = path.string()}); });
  return 0;
}
