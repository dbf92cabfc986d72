// Our use of Parquet: any bytes are read or refused. Seeds: tests/corpus/fixtures. Arrow itself is not
// instrumented; -malloc_limit_mb and -rss_limit_mb bound what it may take.
#include <cstdio>
#include <cstdlib>

#include "picochat/base/error.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/corpus/row_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace picochat;
  const auto source = std::make_shared<base::MemorySource>("x.parquet", std::string(reinterpret_cast<const char*>(data), size));
  const corpus::FileKind kind{corpus::Format::kParquet};
  try {
    corpus::RowColumns columns{.text = ""};
    for (const auto& column : corpus::RowFile::list_columns(*source, kind)) {
      if (column.is_text && columns.text.empty()) columns.text = column.name;
      else if (columns.extra.size() < 4) columns.extra.push_back(column.name);
    }
    const auto file = corpus::RowFile::open(source, kind, columns);
    for (size_t part = 0; part < file->parts().size() && part < 50; ++part) {
      int64_t rows = 0;
      file->read_part(part, [&](const corpus::FileRow& row) {
        if (!row.skipped && !base::is_valid_utf8(row.text)) std::abort();
        return ++rows < 100000;  // a run length may promise billions of equal rows
      });
    }
  } catch (const base::Error& error) {
    if (error.code() != base::ExitCode::kBadInput) std::abort();
  }
  return 0;
}
