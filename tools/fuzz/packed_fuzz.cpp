// gzip and zstd of rows: any bytes are read or refused, the same for every chunk size.
#include "rows_fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const char* const names[] = {"x.jsonl.gz", "x.jsonl.zst", "x.csv.gz", "x.txt.zst"};
  std::vector<picochat::fuzz::SeenRow> rows;
  // Small bounds: a few bytes may unpack to gigabytes, and that is no defect of the reader.
  picochat::fuzz::read_rows(bytes, names[data[0] % 4], {.chunk_bytes = 4096, .max_row_bytes = 1 << 16, .max_document_bytes = 1 << 16}, rows);
  return 0;
}
