#include "picochat/corpus/file_format.hpp"

#include <algorithm>
#include <array>

#include "picochat/base/text.hpp"

namespace picochat::corpus {
namespace {

constexpr std::array<std::string_view, 4> kTextExtensions = {".txt", ".text", ".md", ".py"};

// The last extension of `name`, with its dot, which is cut off.
std::string_view take_extension(std::string_view& name) {
  const size_t dot = name.rfind('.'), slash = name.rfind('/');
  if (dot == std::string_view::npos || (slash != std::string_view::npos && dot < slash)) return {};
  const std::string_view extension = name.substr(dot);
  name = name.substr(0, dot);
  return extension;
}

}  // namespace

const char* const kReadableFiles =
    ".txt .text .md .py (a file is a document), .jsonl .ndjson .csv .tsv (a row is a document), all of them also with "
    ".gz or .zst, and .parquet";

FileKind file_kind(std::string_view name) {
  const std::string lower = base::lower_ascii(name);
  std::string_view rest = lower;
  std::string_view extension = take_extension(rest);
  FileKind kind;
  if (extension == ".gz") kind.compression = Compression::kGzip;
  if (extension == ".zst" || extension == ".zstd") kind.compression = Compression::kZstd;
  if (kind.compression != Compression::kNone) extension = take_extension(rest);
  if (extension == ".jsonl" || extension == ".ndjson") kind.format = Format::kJsonl;
  else if (extension == ".csv" || extension == ".tsv") kind.format = Format::kCsv;
  else if (extension == ".parquet" && kind.compression == Compression::kNone) kind.format = Format::kParquet;
  else if (std::find(kTextExtensions.begin(), kTextExtensions.end(), extension) != kTextExtensions.end()) kind.format = Format::kText;
  else return {};
  if (extension == ".tsv") kind.delimiter = '\t';
  return kind;
}

std::string format_name(Format format) {
  switch (format) {
    case Format::kText: return "text";
    case Format::kJsonl: return "jsonl";
    case Format::kCsv: return "csv";
    case Format::kParquet: return "parquet";
    case Format::kUnsupported: break;
  }
  return "unsupported";
}

std::string kind_name(const FileKind& kind) {
  const char* suffix = kind.compression == Compression::kGzip ? ".gz" : kind.compression == Compression::kZstd ? ".zst" : "";
  return format_name(kind.format) + suffix;
}

std::string conversion_advice(std::string_view name) {
  const std::string lower = base::lower_ascii(name);
  std::string_view rest = lower;
  const std::string_view extension = take_extension(rest);
  if (extension == ".pdf") return "convert PDF with `pdftotext FILE.pdf` (package poppler-utils)";
  if (extension == ".docx" || extension == ".odt" || extension == ".epub" || extension == ".rtf")
    return base::cat("convert ", extension, " with `pandoc FILE", extension, " -o FILE.txt`");
  if (extension == ".doc") return "convert .doc with `libreoffice --headless --convert-to txt FILE.doc`";
  if (extension == ".html" || extension == ".htm") return "convert HTML with `pandoc FILE.html -t plain -o FILE.txt`";
  if (extension == ".json")
    return "one JSON value is no list of documents: write its rows as .jsonl, for example with `jq -c '.[]' FILE.json > FILE.jsonl`";
  if (extension == ".xz" || extension == ".bz2" || extension == ".zip" || extension == ".tar" || extension == ".7z" || extension == ".tgz")
    return "unpack the archive first; .gz and .zst are read as they are";
  if (extension == ".arrow" || extension == ".feather") return "write it as Parquet, for example with pyarrow.parquet.write_table";
  return "";
}

}  // namespace picochat::corpus
