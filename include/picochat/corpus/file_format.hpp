// Which kinds of files hold documents, told by their names.
#pragma once

#include <string>
#include <string_view>

namespace picochat::corpus {

enum class Format { kText, kJsonl, kCsv, kParquet, kUnsupported };
enum class Compression { kNone, kGzip, kZstd };

struct FileKind {
  Format format = Format::kUnsupported;
  Compression compression = Compression::kNone;
  char delimiter = ',';  // of CSV; a tab for .tsv
  friend bool operator==(const FileKind&, const FileKind&) = default;
};

// By the extension, letter case ignored: "a.jsonl.zst" is JSON Lines in zstd.
FileKind file_kind(std::string_view name);

std::string format_name(Format format);          // "text", "jsonl", "csv", "parquet", "unsupported"
std::string kind_name(const FileKind& kind);     // "jsonl.zst"

// What a person should do with a file that is not read (".pdf": how to convert it); "" when nothing
// is known about its extension.
std::string conversion_advice(std::string_view name);

// The readable extensions, for messages.
extern const char* const kReadableFiles;

}  // namespace picochat::corpus
