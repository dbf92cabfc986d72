// Small Parquet files for tests, laid out as hubs have them: a text column among others, row groups of a
// stated number of rows, zstd.
#pragma once

#ifdef PICOCHAT_ARROW
#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <parquet/arrow/writer.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace picochat::test {

struct ParquetRow {
  std::optional<std::string> text;
  std::string language = "en";
  int64_t score = 3;
};

inline void must(const arrow::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

// Columns: prompt, <text_name>, metadata {language, score}.
inline std::string parquet_bytes(const std::vector<ParquetRow>& rows, int64_t rows_per_group, const std::string& text_name = "text") {
  const auto language = arrow::field("language", arrow::utf8()), score = arrow::field("score", arrow::int64());
  arrow::StringBuilder prompts, texts, languages;
  arrow::Int64Builder scores;
  for (const auto& row : rows) {
    must(prompts.Append("Write about this."));
    must(row.text ? texts.Append(*row.text) : texts.AppendNull());
    must(languages.Append(row.language));
    must(scores.Append(row.score));
  }
  auto finished = [](arrow::ArrayBuilder& builder) { return builder.Finish().ValueOrDie(); };
  const auto metadata = arrow::StructArray::Make({finished(languages), finished(scores)}, {language, score}).ValueOrDie();
  const auto table = arrow::Table::Make(arrow::schema({arrow::field("prompt", arrow::utf8()), arrow::field(text_name, arrow::utf8()), arrow::field("metadata", metadata->type())}),
                                        {finished(prompts), finished(texts), metadata});
  const auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
  must(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), sink, rows_per_group, parquet::WriterProperties::Builder().compression(parquet::Compression::ZSTD)->build()));
  return sink->Finish().ValueOrDie()->ToString();
}

}  // namespace picochat::test
#endif
