// A small round of tools/oracle/plant_leaks.py: leaks planted by a program that shares nothing with this one,
// with its own questions in nineteen languages, into this repository's documents.
#include <gtest/gtest.h>

#include <cstdlib>

#include "picochat/base/text.hpp"
#include "picochat/honesty/honesty.hpp"
#include "tasks/test_files.hpp"
#include "support/project.hpp"

namespace picochat::honesty {
namespace {

using base::cat;

TEST(Planted, LeaksAreFoundAndCleanRowsAreNotAccused) {
  if (std::system("python3 -c pass") != 0) GTEST_SKIP() << "skipped: no python3";
  const tasks::TestFolder folder("planted");
  const std::string script = cat("python3 ", kSourceDir, "/tools/oracle/plant_leaks.py");
  for (int seed : {1, 2}) {
    const base::Path out = folder / cat("seed-", seed);
    ASSERT_EQ(std::system(cat(script, " plant --text ", kSourceDir, "/docs --out ", out.string(), " --gigabytes 0.003 --leaks 40 --seed ", seed).c_str()), 0);
    HonestyOptions options;
    options.corpus = (out / "corpus").string();
    options.eval_input = (out / "eval.jsonl").string();
    options.out_dir = (out / "report").string();
    const auto report = run_honesty(base::real_file_system(), options);
    EXPECT_EQ(report.json["status"], "blocked");
    EXPECT_EQ(std::system(cat(script, " judge --out ", out.string()).c_str()), 0) << "seed " << seed;
  }
}

}  // namespace
}  // namespace picochat::honesty
