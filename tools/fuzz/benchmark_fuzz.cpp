// Benchmark files as they are distributed: the first byte chooses the kind of file.
#include "fuzz.hpp"
#include "picochat/tasks/benchmark_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace picochat;
  if (size == 0) return 0;
  const char* const names[] = {"test.jsonl", "test.json", "test.csv"};
  const auto path = fuzz::folder().write(names[data[0] % 3], fuzz::text_of(data + 1, size - 1));
  fuzz::accepted([&] {
    for (const auto& row : tasks::read_benchmark(path).rows) {
      fuzz::check(row.correct < row.choices.size() && row.labels.size() == row.choices.size(), "the answer is one of the choices");
      tasks::benchmark_eval_row(row, "fuzz");
    }
  });
  return 0;
}
