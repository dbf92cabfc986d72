#include "corpus/decompress.hpp"

#include <zlib.h>
#include <zstd.h>

#include <cstring>
#include <string>
#include <vector>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::corpus {
namespace {

using base::cat;

// The packed bytes, a buffer at a time.
class Packed {
 public:
  explicit Packed(std::unique_ptr<base::ByteStream> stream) : stream_(std::move(stream)), buffer_(256 << 10) {}
  // False at the end of the packed data.
  bool refill() {
    if (at_ < end_) return true;
    at_ = 0;
    end_ = stream_->read({buffer_.data(), buffer_.size()});
    offset_ += end_;
    return end_ > 0;
  }
  std::span<char> rest() { return {buffer_.data() + at_, end_ - at_}; }
  void take(size_t bytes) { at_ += bytes; }
  std::string where() const { return cat(stream_->name(), ", packed byte ", offset_ - (end_ - at_)); }
  const std::string& name() const { return stream_->name(); }

 private:
  std::unique_ptr<base::ByteStream> stream_;
  std::vector<char> buffer_;
  size_t at_ = 0, end_ = 0;
  uint64_t offset_ = 0;
};

base::Error broken(const Packed& packed, const char* what, std::string found) {
  return base::bad_input({.what = what, .where = packed.where(), .found = std::move(found),
                          .remedy = "fetch the file again, or pack it anew; nothing after this point was read"});
}

class GzipStream : public base::ByteStream {
 public:
  explicit GzipStream(std::unique_ptr<base::ByteStream> packed) : packed_(std::move(packed)) {
    constexpr int kGzipOnly = 16;
    if (inflateInit2(&inflate_, MAX_WBITS + kGzipOnly) != Z_OK) throw base::environment_error({.what = "zlib could not be started"});
  }
  ~GzipStream() override { inflateEnd(&inflate_); }

  size_t read(std::span<char> out) override {
    inflate_.next_out = reinterpret_cast<Bytef*>(out.data());
    inflate_.avail_out = static_cast<uInt>(std::min<size_t>(out.size(), 1 << 30));
    const uInt wanted = inflate_.avail_out;
    while (inflate_.avail_out == wanted && wanted > 0) {
      if (!packed_.refill()) {
        if (inside_) throw broken(packed_, "the gzip data end early", "the end of the file inside a gzip member");
        return 0;
      }
      if (!inside_ && members_ > 0 && only_padding()) continue;
      step();
    }
    return wanted - inflate_.avail_out;
  }
  const std::string& name() const override { return packed_.name(); }

 private:
  // Zero bytes may follow the last member (tapes, block devices).
  bool only_padding() {
    const auto rest = packed_.rest();
    size_t zeros = 0;
    while (zeros < rest.size() && rest[zeros] == 0) ++zeros;
    packed_.take(zeros);
    return packed_.rest().empty();
  }

  void step() {
    const auto rest = packed_.rest();
    inside_ = true;
    inflate_.next_in = reinterpret_cast<Bytef*>(rest.data());
    inflate_.avail_in = static_cast<uInt>(rest.size());
    const int status = inflate(&inflate_, Z_NO_FLUSH);
    packed_.take(rest.size() - inflate_.avail_in);
    if (status == Z_STREAM_END) {
      inside_ = false;
      ++members_;
      inflateReset(&inflate_);
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      throw broken(packed_, members_ == 0 && inflate_.total_out == 0 ? "the file is not gzip" : "the gzip data are damaged",
                   inflate_.msg ? inflate_.msg : cat("zlib error ", status));
    }
  }

  Packed packed_;
  z_stream inflate_{};
  bool inside_ = false;
  int64_t members_ = 0;
};

class ZstdStream : public base::ByteStream {
 public:
  explicit ZstdStream(std::unique_ptr<base::ByteStream> packed) : packed_(std::move(packed)), context_(ZSTD_createDCtx()) {
    if (!context_) throw base::environment_error({.what = "zstd could not be started"});
    ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, 27);
  }
  ~ZstdStream() override { ZSTD_freeDCtx(context_); }

  size_t read(std::span<char> out) override {
    ZSTD_outBuffer into{out.data(), out.size(), 0};
    while (into.pos == 0 && into.size > 0) {
      const bool at_end = !packed_.refill();
      if (at_end && !inside_) return 0;
      const auto rest = packed_.rest();  // empty at the end: the decoder may still hold some
      ZSTD_inBuffer from{rest.data(), rest.size(), 0};
      const size_t status = ZSTD_decompressStream(context_, &into, &from);
      packed_.take(from.pos);
      if (ZSTD_isError(status)) fail(status);
      inside_ = status != 0;
      started_ = true;
      if (at_end && inside_ && into.pos == 0) throw broken(packed_, "the zstd data end early", "the end of the file inside a zstd frame");
    }
    return into.pos;
  }
  const std::string& name() const override { return packed_.name(); }

 private:
  [[noreturn]] void fail(size_t status) {
    const std::string reason = ZSTD_getErrorName(status);
    if (reason.find("memory") != std::string::npos)
      throw base::bad_input({.what = "the zstd data need a window above 128 MiB", .where = packed_.where(), .found = reason,
                             .remedy = "pack the file anew without --long above 27"});
    throw broken(packed_, started_ ? "the zstd data are damaged" : "the file is not zstd", reason);
  }

  Packed packed_;
  ZSTD_DCtx* context_;
  bool inside_ = false, started_ = false;
};

}  // namespace

std::unique_ptr<base::ByteStream> decompress(std::unique_ptr<base::ByteStream> packed, Compression compression) {
  switch (compression) {
    case Compression::kGzip: return std::make_unique<GzipStream>(std::move(packed));
    case Compression::kZstd: return std::make_unique<ZstdStream>(std::move(packed));
    case Compression::kNone: break;
  }
  return packed;
}

}  // namespace picochat::corpus
