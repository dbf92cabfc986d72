// Prints the rows of a file as the readers see them, one JSON value a line, for comparison with others:
//   dump_rows FILE TEXT_COLUMN [EXTRA_COLUMN...]
#include <cstdio>

#include "corpus/json_text.hpp"
#include "picochat/base/error.hpp"
#include "picochat/corpus/row_file.hpp"

int main(int argc, char** argv) {
  using namespace picochat;
  if (argc < 3) return std::fputs("usage: dump_rows FILE TEXT_COLUMN [EXTRA_COLUMN...]\n", stderr), 2;
  try {
    const std::vector<std::string> extra(argv + 3, argv + argc);
    const auto file = corpus::RowFile::open(std::make_shared<base::FileSource>(argv[1]), corpus::file_kind(argv[1]), {.text = argv[2], .extra = extra});
    std::string out;
    for (size_t part = 0; part < file->parts().size(); ++part) {
      file->read_part(part, [&](const corpus::FileRow& row) {
        out = "{\"index\":" + std::to_string(row.index) + ",\"id\":";
        corpus::append_json_string(out, row.id);
        out += ",\"text\":";
        if (row.skipped) out += "null";
        else corpus::append_json_string(out, row.text);
        out += ",\"repaired\":";
        out += row.repaired ? "true" : "false";
        out += ",\"extra\":[";
        for (size_t i = 0; i < row.extra.size(); ++i) out.append(i ? "," : "").append(row.extra[i]);
        out += "]}\n";
        return std::fwrite(out.data(), 1, out.size(), stdout) == out.size();
      });
    }
  } catch (const base::Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return static_cast<int>(error.code());
  }
  return 0;
}
