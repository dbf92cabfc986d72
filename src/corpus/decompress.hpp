// gzip and zstd as streams.
#pragma once

#include <memory>

#include "picochat/base/byte_source.hpp"
#include "picochat/corpus/file_format.hpp"

namespace picochat::corpus {

// What `packed` holds, unpacked: all members of gzip, all frames of zstd, one after the other. Data that
// end early, are damaged, or need more than 128 MiB of window are BadInput. kNone gives `packed` back.
std::unique_ptr<base::ByteStream> decompress(std::unique_ptr<base::ByteStream> packed, Compression compression);

}  // namespace picochat::corpus
