// Chat rows and eval rows: the first byte chooses. What is written of the rows reads back as the same rows.
#include "fuzz.hpp"
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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto path = fuzz::folder().write("rows.jsonl", fuzz::text_of(data + 1, size - 1));
  fuzz::accepted([&] {
    if (data[0] % 2 == 0) read_twice(path, tasks::read_chat_rows, tasks::load_chat_rows);
    else read_twice(path, tasks::read_eval_rows, tasks::load_eval_rows);
  });
  return 0;
}
