#include "picochat/tasks/benchmark_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "picochat/base/error.hpp"
#include "tasks/test_files.hpp"
#include "support/project.hpp"

namespace picochat::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Benchmarks : public ::testing::Test {
 protected:
  TestFolder folder_{"benchmarks"};
  std::string error_of(const std::string& name, const std::string& text) {
    try {
      read_benchmark(folder_.write(name, text));
    } catch (const base::Error& error) {
      return error.what();
    }
    return "none";
  }
};

TEST_F(Benchmarks, ArcInBothLayouts) {
  const auto hub = read_benchmark(folder_.write("hub.jsonl",
      R"({"id":"M1","question":"Which melts?","choices":{"text":["ice","iron"],"label":["A","B"]},"answerKey":"A"})" "\n"
      R"({"id":"M2","question":"Which rusts?","choices":{"text":["ice","iron"],"label":["1","2"]},"answerKey":"2"})" "\n"));
  EXPECT_EQ(hub.layout, "arc_hub");
  ASSERT_EQ(hub.rows.size(), 2u);
  EXPECT_EQ(hub.rows[0].id, "M1");
  EXPECT_EQ(hub.rows[0].correct, 0u);
  EXPECT_EQ(hub.rows[1].correct, 1u) << "a label of the row, not a number of unknown base";
  EXPECT_THAT(hub.rows[1].labels, ElementsAre("1", "2"));
  const auto ai2 = read_benchmark(folder_.write("ai2.jsonl",
      R"({"id":"M1","question":{"stem":"Which melts?","choices":[{"text":"ice","label":"A"},{"text":"iron","label":"B"}]},"answerKey":"B"})" "\n"));
  EXPECT_EQ(ai2.layout, "arc_ai2");
  EXPECT_EQ(ai2.rows.at(0).question, "Which melts?");
  EXPECT_EQ(ai2.rows.at(0).correct, 1u);
}

TEST_F(Benchmarks, NumbersCountFromZeroOrOneAsTheFileShows) {
  auto row = [](int answer) { return R"({"question":"q","choices":["a","b","c","d"],"answer":)" + std::to_string(answer) + "}\n"; };
  EXPECT_EQ(read_benchmark(folder_.write("a.jsonl", row(0) + row(3))).rows[1].correct, 3u);
  EXPECT_EQ(read_benchmark(folder_.write("b.jsonl", row(1) + row(4))).rows[1].correct, 3u);
  EXPECT_THAT(error_of("c.jsonl", row(1) + row(2)), HasSubstr("from 0 or from 1"));
  EXPECT_THAT(error_of("d.jsonl", row(0) + row(4)), HasSubstr("from 0 in some rows"));
  EXPECT_THAT(error_of("e.jsonl", row(5)), HasSubstr("none of the choices"));
}

TEST_F(Benchmarks, HellaSwagIsReadAsTheHarnessReadsIt) {
  const auto file = read_benchmark(folder_.write("hellaswag.jsonl",
      R"({"ind":7,"activity_label":"Cleaning sinks","ctx_a":"A person is shown. [header] Use soap [title]","ctx_b":"the PERSON then","ctx":"A person is shown. the PERSON then","endings":["scrubs  it [substeps] well.","sings.","eats.","waits."],"label":"3"})" "\n"));
  EXPECT_EQ(file.rows.at(0).question, "Cleaning sinks: A person is shown. Use soap. The person then");
  EXPECT_EQ(file.rows[0].choices[0], "scrubs it well.");
  EXPECT_EQ(file.rows[0].correct, 3u) << "labels count from 0, whatever the file shows";
  EXPECT_THAT(error_of("high.jsonl", R"({"ctx":"q","endings":["a","b"],"label":"2"})" "\n"), HasSubstr("none of the choices"));
}

TEST_F(Benchmarks, PiqaOpenBookQaBoolQAndWinoGrande) {
  const auto piqa = read_benchmark(folder_.write("piqa.jsonl", R"({"goal":"Open a jar.","sol1":"Sing.","sol2":"Twist the lid.","label":1})" "\n"));
  EXPECT_EQ(piqa.layout, "piqa");
  EXPECT_EQ(piqa.rows.at(0).correct, 1u);
  const auto book = read_benchmark(folder_.write("obqa.jsonl",
      R"({"id":"7-980","question_stem":"The sun is","choices":{"text":["hot","wet"],"label":["A","B"]},"answerKey":"A"})" "\n"));
  EXPECT_EQ(book.layout, "openbookqa");
  EXPECT_EQ(book.rows.at(0).question, "The sun is");
  const auto boolq = read_benchmark(folder_.write("boolq.jsonl", R"({"question":"is ice cold","passage":"Ice is frozen water.","answer":true})" "\n"));
  EXPECT_EQ(boolq.layout, "boolq");
  EXPECT_EQ(boolq.rows.at(0).question, "is ice cold?");
  EXPECT_EQ(boolq.rows[0].choices.at(boolq.rows[0].correct), "yes");
  EXPECT_THAT(render_question(boolq.rows[0]), HasSubstr("frozen water.\n\nis ice cold?"));
  EXPECT_EQ(read_benchmark(folder_.write("superglue.jsonl", R"({"question":"is ice hot","passage":"p","idx":0,"label":0})" "\n")).rows.at(0).correct, 0u);
  const auto winogrande = read_benchmark(folder_.write("wg.jsonl", R"({"sentence":"It was _ .","option1":"a","option2":"b","answer":"1"})" "\n"));
  EXPECT_EQ(winogrande.rows.at(0).correct, 0u) << "answers count from 1, whatever the file shows";
  EXPECT_THAT(error_of("wg_test.jsonl", R"({"sentence":"It was _ .","option1":"a","option2":"b","answer":""})" "\n"), HasSubstr("no answer"));
  EXPECT_THAT(error_of("no_blank.jsonl", R"({"sentence":"It was.","option1":"a","option2":"b","answer":"1"})" "\n"), HasSubstr("no blank"));
}

TEST_F(Benchmarks, WorkedExamplesStandBesideAFileOfAnyKind) {
  const std::string line = R"({"goal":"Open a jar.","sol1":"Sing.","sol2":"Twist the lid.","label":1})" "\n";
  folder_.write("p_dev.jsonl", line);
  EXPECT_EQ(read_benchmark(folder_.write("p_test.jsonl", line)).dev_shots.size(), 1u);
  folder_.write("p_dev.jsonl", R"({"question":"q","choices":["a","b"],"answer":0})" "\n");
  EXPECT_THAT(error_of("p_test.jsonl", line), HasSubstr("p_dev.jsonl"));
}

TEST_F(Benchmarks, HeaderlessCsvWithDevShots) {
  folder_.write("astronomy_dev.csv", "What shines?,Sun,Rock,Sand,Mud,A\n");
  const auto file = read_benchmark(folder_.write("astronomy_test.csv", "\"How far, in km, is \"\"it\"\"?\",1,\"2,000\",3,4,B\r\n\"Two\nlines?\",a,b,c,d,D\n"));
  ASSERT_EQ(file.rows.size(), 2u);
  EXPECT_EQ(file.rows[0].question, "How far, in km, is \"it\"?");
  EXPECT_EQ(file.rows[0].choices[1], "2,000");
  EXPECT_EQ(file.rows[0].subject, "astronomy");
  EXPECT_EQ(file.rows[1].line, 2);
  EXPECT_EQ(file.rows[1].correct, 3u);
  ASSERT_EQ(file.dev_shots.size(), 1u);
  EXPECT_EQ(read_benchmark(folder_.write("h.csv", "question,A,B,C,D,answer\nq,a,b,c,d,C\n")).rows.at(0).correct, 2u);
}

TEST_F(Benchmarks, BrokenFilesAreNamed) {
  EXPECT_THAT(error_of("a.jsonl", "{\"text\":\"x\"}\n"), HasSubstr("no benchmark row"));
  EXPECT_THAT(error_of("b.jsonl", ""), HasSubstr("no rows"));
  EXPECT_THAT(error_of("c.csv", "only,three,fields\n"), HasSubstr("six fields"));
  EXPECT_THAT(error_of("d.csv", "\"open,a,b,c,d,A\n"), HasSubstr("never closed"));
  EXPECT_THAT(error_of("e.txt", "x"), HasSubstr(".txt"));
  EXPECT_THAT(error_of("f.jsonl", R"({"question":"q","choices":{"text":["a","b"],"label":["A","B"]},"answerKey":"E"})" "\n"), HasSubstr("f.jsonl:1"));
  EXPECT_THAT(error_of("g.jsonl", R"({"question":"q","choices":["a","b"],"answer":0})" "\n" R"({"ctx":"q","endings":["a","b"],"label":"1"})" "\n"), HasSubstr("g.jsonl:2"));
}

TEST_F(Benchmarks, RowsBecomeEvalRows) {
  const auto file = read_benchmark(folder_.write("hs.jsonl", R"({"ctx":"He opens the door and","endings":["leaves.","melts."],"label":"0","activity_label":"Doors"})" "\n"));
  const EvalRow row = benchmark_eval_row(file.rows.at(0), "hellaswag");
  EXPECT_EQ(row.correct_choice, "A");
  EXPECT_EQ(row.category, "external_Doors");
  EXPECT_EQ(row.reference_answer, "A. leaves.");
  EXPECT_THAT(row.user, HasSubstr("\nB. melts.\n"));
  EXPECT_THROW(parse_named_benchmark("=file.jsonl", "--external-eval"), base::Error);
  EXPECT_EQ(parse_named_benchmark("x/arc_easy.jsonl", "--external-eval").name, "arc_easy");
  EXPECT_EQ(parse_named_benchmark("arc=a=b.jsonl", "--external-eval").path, "a=b.jsonl");
}

// The real files, read as the distributors made them.
TEST_F(Benchmarks, RealFiles) {
  const base::Path data = base::Path(kSourceDir) / "../shared/data/eval";
  if (!std::filesystem::exists(data)) GTEST_SKIP() << "skipped: no shared data beside the checkout";
  const auto arc = read_benchmark(data / "arc_easy_validation.jsonl");
  EXPECT_EQ(arc.rows.size(), 570u);
  const auto csv = read_benchmark(data / "mmlu_astronomy_test.csv");
  EXPECT_EQ(csv.rows.size(), 152u);
  EXPECT_EQ(csv.dev_shots.size(), 5u);
}

// Parquet and text of one benchmark give the same rows; the answers of the numbered file are those of the lettered one.
TEST_F(Benchmarks, RealParquetFiles) {
  const base::Path data = base::Path(kSourceDir) / "../shared/data/eval";
  if (!std::filesystem::exists(data)) GTEST_SKIP() << "skipped: no shared data beside the checkout";
  try {
    read_benchmark(data / "arc_easy_validation.parquet");
  } catch (const base::Error& error) {
    if (error.code() == base::ExitCode::kEnvironment) GTEST_SKIP() << "skipped: this build reads no Parquet";
    throw;
  }
  const auto jsonl = read_benchmark(data / "arc_easy_validation.jsonl"), parquet = read_benchmark(data / "arc_easy_validation.parquet");
  ASSERT_EQ(parquet.rows.size(), jsonl.rows.size());
  for (size_t i = 0; i < jsonl.rows.size(); ++i) {
    EXPECT_EQ(parquet.rows[i].question, jsonl.rows[i].question);
    EXPECT_EQ(parquet.rows[i].choices, jsonl.rows[i].choices);
    EXPECT_EQ(parquet.rows[i].correct, jsonl.rows[i].correct);
  }
  const auto hub = read_benchmark(data / "mmlu_5_subjects_test.parquet"), csv = read_benchmark(data / "mmlu_astronomy_test.csv");
  EXPECT_EQ(hub.layout, "mmlu_hub");
  EXPECT_EQ(hub.rows.size(), 999u);
  size_t compared = 0;
  for (const BenchmarkRow& row : hub.rows) {
    for (const BenchmarkRow& other : csv.rows) {
      if (row.subject != "astronomy" || row.question != other.question || row.choices != other.choices) continue;
      EXPECT_EQ(row.correct, other.correct) << row.question;
      ++compared;
    }
  }
  EXPECT_GT(compared, 100u) << "the answers are numbers from 0 in one file and letters in the other";
}

}  // namespace
}  // namespace picochat::tasks
