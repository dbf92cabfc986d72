// How one row of each published benchmark is written, and what it means.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "picochat/base/json.hpp"
#include "picochat/tasks/benchmark_file.hpp"

namespace picochat::tasks {

// A row whose answer may still be a number of unknown base.
struct RawRow {
  BenchmarkRow row;
  std::optional<int64_t> number;
  std::string where;
};

// BadInput with what every layout looks like.
[[noreturn]] void refuse_benchmark(const std::string& what, const std::string& where, const std::string& found = "");

// The layout of a row, told from its keys.
std::string benchmark_layout(const base::Json& object, const std::string& where);
RawRow parse_benchmark_row(const base::Json& object, const std::string& layout, const std::string& where);

// A label of the row, else a letter, else a number whose base the whole file tells.
void read_benchmark_answer(RawRow& raw, const std::string& answer);
void letter_labels(BenchmarkRow& row, const std::string& where);

// From what a layout counts its answers where its definition says so; else the file must show it.
std::optional<int64_t> first_answer(const std::string& layout);

// The text column of each layout, and all columns that some layout has (Parquet is read by column).
extern const std::vector<std::string> kBenchmarkTextColumns, kBenchmarkColumns;

}  // namespace picochat::tasks
