// Published multiple-choice benchmarks as they are distributed, read into one form. The layout is told from the
// file: ARC as AI2 has it and as the hub has it, MMLU as the hub has it and as headerless CSV, HellaSwag, PIQA,
// OpenBookQA, BoolQ, WinoGrande; JSON Lines, a JSON list, CSV or Parquet. See docs/formats/benchmarks.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "picochat/base/file_system.hpp"
#include "picochat/tasks/rows.hpp"

namespace picochat::tasks {

struct BenchmarkRow {
  std::string id;        // the row's own, or empty
  std::string subject;   // or category; may be empty
  std::string passage;   // BoolQ: what the question is about; else empty
  std::string question;  // WinoGrande: the sentence with its blank, "_"
  std::vector<std::string> labels, choices;  // "A", "B", ... (ARC also has "1", "2", ...) and their texts
  size_t correct = 0;    // index into both
  int64_t line = 0;      // 1-based: the line of a text file, the row of Parquet
};

struct BenchmarkFile {
  std::string layout;    // "arc_ai2", "arc_hub", "mmlu_hub", "mmlu_csv", "hellaswag", "piqa", "openbookqa", "boolq", "winogrande"
  std::vector<BenchmarkRow> rows;
  std::vector<BenchmarkRow> dev_shots;  // from <name>_dev beside <name>_test or <name>_val, same extension
};

// BadInput naming path:line and what is wrong for a file that is no benchmark, or whose rows differ in layout,
// lack an answer, or whose answers cannot be told: numbers count as the benchmark defines it (HellaSwag, PIQA and
// BoolQ from 0, WinoGrande from 1); elsewhere from 0 when any of the file's is 0, from 1 when any equals the number of
// choices and none is 0, and refused when the file leaves it open.
BenchmarkFile read_benchmark(const base::Path& path);

// "[NAME=]PATH" of --external-eval; without a name the file's is taken. Usage error when it is neither.
struct NamedBenchmark {
  std::string name;
  base::Path path;
};
NamedBenchmark parse_named_benchmark(const std::string& text, const std::string& flag);

// The row as an eval row that is scored by letter: question, lettered choices, an instruction. Category
// external_<subject or name>, level external_choice, curriculum_stage the name.
EvalRow benchmark_eval_row(const BenchmarkRow& row, const std::string& name);
// Question and lettered choices, without an instruction.
std::string render_question(const BenchmarkRow& row);

}  // namespace picochat::tasks
