// Chat rows, eval rows and benchmark files: the first byte chooses. What is written of the rows reads back as the same rows.
#include "fuzz.hpp"
#include "picochat/tasks/benchmark_file.hpp"
#include "picochat/tasks/rows.hpp"

namespace {

using namespace picochat;

template <typename Row>
void read_twice(const base::Path& path, std::vector<Row> (*read)(const base::Path&), tasks::RowFile<Row> (*load)(const base::Path&)) {
  const auto lenient = load(path);
  const bool strict = fuzz::accepted([&] {
    const std::vector<Row> rows = read(path);
    const std::string written = tasks::to_jsonl(rows);
    const auto again = load(fuzz::folder().write("again.jsonl", written));
    fuzz::check(again.issues.empty(), "rows that were read can be written");
    fuzz::check(tasks::to_jsonl(again.rows) == written, "and read back the same");
  });
  fuzz::check(strict == (lenient.issues.empty() && !lenient.rows.empty()), "both ways of reading agree");
}

void read_benchmark(const base::Path& path) {
  fuzz::accepted([&] {
    for (const auto& row : tasks::read_benchmark(path).rows) {
      fuzz::check(row.correct < row.choices.size() && row.labels.size() == row.choices.size(), "the answer is one of the choices");
      tasks::benchmark_eval_row(row, "fuzz");
    }
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const char* const names[] = {"chat.jsonl", "eval.jsonl", "test.jsonl", "test.json", "test.csv"};
  const int choice = data[0] % 5;
  const auto path = fuzz::folder().write(names[choice], fuzz::text_of(data + 1, size - 1));
  fuzz::accepted([&] {
    if (choice == 0) read_twice(path, tasks::read_chat_rows, tasks::load_chat_rows);
    else if (choice == 1) read_twice(path, tasks::read_eval_rows, tasks::load_eval_rows);
    else read_benchmark(path);
  });
  return 0;
}
