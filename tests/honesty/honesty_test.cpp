#include "picochat/honesty/honesty.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "picochat/base/error.hpp"
#include "picochat/base/random.hpp"
#include "picochat/base/text.hpp"
#include "picochat/tasks/skills_corpus.hpp"
#include "picochat/tasks/task_pack.hpp"
#include "tasks/test_files.hpp"

namespace picochat::honesty {
namespace {

using base::cat;
using base::Json;
using ::testing::HasSubstr;

constexpr const char* kQuestion =
    "A gardener plants twelve rows of tulips with nine bulbs in each row and waters them every single morning. Which flowers grow there?";

class Honesty : public ::testing::Test {
 protected:
  tasks::TestFolder folder_{"honesty"};
  std::vector<std::string> documents_ = {"The harbor lay quiet in the early light.", "Nobody had seen the old ferry since autumn."};
  std::string eval_ = row(kQuestion, "tulips") + row("Explain briefly why the sky over the sea looks blue at noon.", "scattered light");
  std::vector<tasks::NamedBenchmark> external_;
  std::string chat_ = R"({"user":"Say hello to the visitors.","assistant":"Hello, visitors."})" "\n";

  static std::string row(const std::string& user, const std::string& include) {
    return base::canonical({{"user", user}, {"must_include", {include}}}) + "\n";
  }
  Json check() {
    HonestyInputs inputs;
    inputs.chat = folder_.write("chat.jsonl", chat_);
    inputs.eval = folder_.write("eval.jsonl", eval_);
    inputs.external = external_;
    inputs.corpus_label = "corpus";
    inputs.corpus = [&](const std::function<bool(const CorpusDocument&)>& visit) {
      for (size_t i = 0; i < documents_.size(); ++i) {
        if (!visit({documents_[i], cat("doc-", i), "books.jsonl"})) return;
      }
    };
    return check_honesty(inputs);
  }
  // The finding of a kind, or null.
  static Json find(const Json& report, const std::string& kind) {
    for (const Json& finding : report["findings"]) if (finding["kind"] == kind) return finding;
    return nullptr;
  }
};

TEST_F(Honesty, CleanMaterialIsReady) {
  Json report = check();
  EXPECT_EQ(report["status"], "ready") << report.dump(2);
  EXPECT_EQ(report["corpus_prompt_hits"], 0);
  EXPECT_EQ(report["num_corpus_documents"], 2);
  for (const Json& pair : report["contamination_matrix"]) EXPECT_EQ(pair["risk"], "clean");
}

TEST_F(Honesty, APromptInTheCorpusBlocksHoweverItIsTyped) {
  std::string upper = kQuestion;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  std::string broken = base::replace_all(kQuestion, " ", "\n   ");
  std::string bare = base::replace_all(base::replace_all(kQuestion, ".", ""), "?", "");
  for (const std::string& leak : {std::string(kQuestion), upper, broken, bare}) {
    documents_ = {"Nothing here.", cat("Some words before. ", leak, " And a few words after it.")};
    Json report = check();
    EXPECT_EQ(report["status"], "blocked") << leak;
    Json finding = find(report, "eval_prompt_in_corpus");
    ASSERT_FALSE(finding.is_null()) << leak;
    EXPECT_EQ(finding["severity"], "block");
    EXPECT_EQ(finding["file"], "books.jsonl");
    EXPECT_EQ(finding["document"], "doc-1");
    EXPECT_EQ(finding["offset"], 19);
    EXPECT_EQ(finding["eval_line"], 1);
    EXPECT_THAT(base::lower_ascii(finding["snippet"].get<std::string>()), HasSubstr("gardener"));
  }
}

TEST_F(Honesty, LongRunsBlockAndShortOnesWarn) {
  std::string words(kQuestion);
  // 19 of 23 words: 83%.
  documents_ = {cat("x ", words.substr(0, words.find(" Which flowers")), " y")};
  Json report = check();
  EXPECT_EQ(find(report, "eval_prompt_in_corpus")["severity"], "block") << report.dump(2);
  // 13 of 23 words.
  documents_ = {cat("x ", words.substr(0, words.find(" and waters")), " y")};
  report = check();
  EXPECT_EQ(report["status"], "caution");
  EXPECT_EQ(find(report, "eval_prompt_in_corpus")["severity"], "warn");
  EXPECT_EQ(find(report, "eval_prompt_in_corpus")["shared_words"], 13);
  // 12 of 23 words: nothing.
  documents_ = {cat("x ", words.substr(0, words.find(" row and")), " y")};
  EXPECT_EQ(check()["status"], "ready");
}

TEST_F(Honesty, NearMatchesInTheCorpusWarn) {
  documents_ = {cat("x ", base::replace_all(kQuestion, "waters", "sprinkles"), " y")};
  EXPECT_EQ(find(check(), "eval_prompt_in_corpus")["severity"], "warn");
  documents_ = {"Explain briefly why the sky above the sea looks blue at noon."};
  Json report = check();
  EXPECT_EQ(find(report, "eval_prompt_in_corpus")["severity"], "warn") << report.dump(2);
  EXPECT_EQ(report["status"], "caution");
}

TEST_F(Honesty, OtherNumbersAreAnotherQuestion) {
  eval_ = row("Calculate 412 + 399 and write the result as one whole number please.", "811");
  documents_ = {"Calculate 413 + 399 and write the result as one whole number please."};
  EXPECT_EQ(check()["status"], "ready");
  documents_ = {"Calculate 412+399 and write the result as one whole number please."};
  EXPECT_EQ(check()["status"], "blocked");
}

TEST_F(Honesty, ShortPromptsOnlyWhole) {
  eval_ = row("Which planet spins on its side?", "Uranus") + row("Who are you?", "Picochat");
  documents_ = {"I asked which planet spins on its axis.", "He said who are you to judge."};
  EXPECT_EQ(check()["status"], "ready");
  documents_ = {"Quiz: which planet spins on its side? Uranus."};
  EXPECT_EQ(check()["status"], "blocked");
  // A sentence that any novel holds does not block a corpus.
  documents_ = {"He turned. \"Who are you?\" she asked."};
  EXPECT_EQ(check()["status"], "caution");
}

TEST_F(Honesty, ADocumentMayEndInsideAPrompt) {
  for (size_t cut = 20; cut < std::string(kQuestion).size(); cut += 7) {
    documents_ = {std::string(kQuestion).substr(0, cut), std::string(kQuestion).substr(cut)};
    Json report = check();
    EXPECT_TRUE(report["status"] == "ready" || report["status"] == "caution" || report["status"] == "blocked");
  }
}

TEST_F(Honesty, OtherScriptsAreSeen) {
  eval_ = row("Какая планета вращается, лёжа на боку, вокруг Солнца?", "Уран") + row("哪一个行星是躺着绕太阳转的呢请回答", "天王星");
  documents_ = {"Вопрос: КАКАЯ планета вращается лёжа на боку вокруг солнца?"};
  EXPECT_EQ(check()["status"], "blocked");
  documents_ = {"问题：哪一个行星是躺着绕太阳转的呢，请回答。"};
  EXPECT_EQ(check()["status"], "blocked");
}

TEST_F(Honesty, SftLeaks) {
  chat_ += base::canonical({{"user", base::lower_ascii(kQuestion)}, {"assistant", "tulips"}}) + "\n";
  Json report = check();
  EXPECT_EQ(report["status"], "blocked");
  EXPECT_EQ(report["exact_prompt_leaks"], 1);
  EXPECT_EQ(find(report, "exact_sft_prompt_leak")["matched_line"], 2);

  chat_ = base::canonical({{"user", base::replace_all(kQuestion, "every single", "each")}, {"assistant", "tulips"}}) + "\n";
  report = check();
  EXPECT_EQ(report["near_prompt_leaks"], 1);
  EXPECT_EQ(find(report, "near_sft_prompt_leak")["severity"], "warn");

  chat_ = base::canonical({{"user", "Give me a riddle."}, {"assistant", cat("Here is one. ", kQuestion, " Think well.")}}) + "\n";
  report = check();
  EXPECT_EQ(find(report, "eval_prompt_in_sft")["severity"], "block");
  EXPECT_EQ(report["status"], "blocked");
}

TEST_F(Honesty, SupportPhrasesWarn) {
  eval_ = row("Why is noon light blue over the sea, in one line?", "short waves are scattered most");
  documents_ = {"It is known that short waves are scattered most by air."};
  Json report = check();
  EXPECT_EQ(report["corpus_support_phrase_hits"], 1);
  EXPECT_EQ(report["status"], "caution");
  eval_ = row("What is the secret of the lake, in one line please?", "not enough information in the provided material");
  documents_ = {"There is not enough information in the provided material."};
  EXPECT_EQ(check()["status"], "ready");
}

TEST_F(Honesty, DuplicatesAndBadRows) {
  eval_ += row(cat("  ", base::lower_ascii(kQuestion)), "tulips");
  Json report = check();
  EXPECT_EQ(report["duplicate_eval_prompts"], 1);
  EXPECT_EQ(find(report, "duplicate_eval_prompt")["matched_line"], 1);
  eval_ += "{\"user\":5}\n";
  EXPECT_EQ(check()["status"], "blocked");
}

TEST_F(Honesty, MissingInputIsNeverClean) {
  HonestyInputs inputs;
  inputs.eval = folder_ / "none.jsonl";
  inputs.chat = folder_.write("chat.jsonl", chat_);
  Json report = check_honesty(inputs);
  EXPECT_EQ(report["status"], "blocked");
  EXPECT_EQ(report["exact_prompt_leaks"], "not_measured");
  EXPECT_EQ(find(report, "missing_input")["severity"], "block");

  inputs.eval = folder_.write("eval.jsonl", eval_);
  report = check_honesty(inputs);
  EXPECT_EQ(report["status"], "caution");
  EXPECT_EQ(report["corpus_prompt_hits"], "not_measured");
  EXPECT_EQ(report["contamination_matrix"][1]["risk"], "not_checked");

  inputs.corpus = [](const std::function<bool(const CorpusDocument&)>& visit) {
    visit({"some text", "a", "f"});
    throw base::bad_input({.what = "a shard is damaged", .where = "shard-1.jsonl"});
  };
  report = check_honesty(inputs);
  EXPECT_EQ(report["status"], "blocked");
  EXPECT_EQ(report["corpus_prompt_hits"], "not_measured");
}

TEST_F(Honesty, OwnPackAndOwnDrillsPass) {
  tasks::GeneratedPack pack = tasks::generate_pack("release_skills", 2800, 700, "scratchpad", 42);
  chat_ = tasks::to_jsonl(pack.chat);
  eval_ = tasks::to_jsonl(pack.eval);
  documents_.clear();
  tasks::for_each_drill({15000, 15000, 3000, 20000}, 42, [&](std::string_view drill, std::string_view) {
    if (documents_.empty() || documents_.back().size() > 20000) documents_.emplace_back();
    documents_.back() += cat(drill, "\n");
  });
  Json report = check();
  EXPECT_EQ(report["status"], "ready") << report["summary"] << base::dump(report["findings"]).substr(0, 4000);
}

// Each eval prompt, edited in one of several ways and hidden in a document, must be found in it; documents without one must not be named.
TEST_F(Honesty, PlantedLeaksAreFound) {
  tasks::GeneratedPack pack = tasks::generate_pack("release_skills", 400, 200, "scratchpad", 9);
  chat_ = tasks::to_jsonl(pack.chat);
  eval_ = tasks::to_jsonl(pack.eval);
  base::Random random(3, "planting");
  static constexpr const char* kFiller[] = {"the", "river", "ran", "past", "old", "stone", "walls", "and", "fields", "of", "barley", "while", "children", "sang"};
  auto filler = [&] {
    std::string out;
    for (uint64_t n = 50 + random.below(200); n > 0; --n) out += cat(kFiller[random.below(14)], n % 11 ? " " : ". ");
    return out;
  };
  documents_.clear();
  std::set<std::string> planted;
  for (const tasks::EvalRow& row : pack.eval) {
    std::string text = row.user;
    switch (random.below(3)) {
      case 0: text = base::lower_ascii(text); break;
      case 1: text = base::replace_all(text, " ", "\n"); break;
      default: break;
    }
    documents_.push_back(filler());
    planted.insert(cat("doc-", documents_.size()));
    documents_.push_back(cat(filler(), "\n", text, "\n", filler()));
  }
  Json report = check();
  EXPECT_EQ(report["corpus_prompt_hits"], 200) << report["summary"];
  for (const Json& finding : report["findings"]) {
    if (finding["kind"] == "eval_prompt_in_corpus") {
      EXPECT_TRUE(planted.contains(finding["document"].get<std::string>())) << finding.dump();
    }
  }
}

TEST_F(Honesty, OneChangedWordIsFoundAndTheTemplateIsNot) {
  tasks::GeneratedPack pack = tasks::generate_pack("release_skills", 400, 300, "scratchpad", 9);
  chat_ = tasks::to_jsonl(pack.chat);
  eval_ = tasks::to_jsonl(pack.eval);
  base::Random random(5, "changing");
  documents_.clear();
  for (const tasks::EvalRow& row : pack.eval) {
    // Any word but a number or what the question asks about.
    std::vector<std::string> words = base::split(base::replace_all(row.user, "\n", " "), ' ');
    std::string item = row.extra.value("word", "-");
    size_t at;
    do at = random.below(words.size());
    while (words[at].find_first_of("0123456789+-/=") != std::string::npos || base::lower_ascii(words[at]).find(item) != std::string::npos);
    words[at] = "marzipan";
    documents_.push_back(base::join(words, " "));
  }
  Json report = check();
  std::set<int64_t> found;
  size_t misplaced = 0;
  for (const Json& finding : report["findings"]) {
    if (finding["kind"] != "eval_prompt_in_corpus") continue;
    bool own = finding["document"] == cat("doc-", finding["eval_line"].get<int64_t>() - 1);
    if (own) found.insert(finding["eval_line"].get<int64_t>());
    misplaced += !own;
  }
  EXPECT_GE(found.size(), 270u);  // prompts under eight words change too much with one
  // Framings of one identity question are near each other; beyond that a document belongs to its own row.
  EXPECT_LE(misplaced, 90u);
}

TEST_F(Honesty, AnExactLeakAfterNearOnesStillBlocks) {
  documents_.clear();
  for (const char* word : {"sprinkles", "feeds", "counts", "admires"}) documents_.push_back(base::replace_all(kQuestion, "waters", word));
  EXPECT_EQ(check()["status"], "caution");
  documents_.push_back(kQuestion);
  EXPECT_EQ(check()["status"], "blocked");
}

// Rows 0..n-1 of a benchmark in MMLU's hub layout; none is like another.
std::string benchmark(int rows) {
  static constexpr const char* kTopics[] = {"comets", "rivers", "mosses", "engines", "islands", "violins", "glaciers", "lanterns", "beetles", "harbors", "orchards", "mirrors"};
  std::string out;
  for (int i = 0; i < rows; ++i) {
    out += base::canonical({{"question", cat("In the survey of ", kTopics[i], " that the academy made, what had changed most since the survey before it?")},
                            {"choices", {cat("colour of ", kTopics[i]), "their number", "their age", cat("price of ", kTopics[i])}}, {"answer", i % 4}}) + "\n";
  }
  return out;
}

TEST_F(Honesty, RowsOfOutsideBenchmarksAreFlagged) {
  external_ = {{"survey", folder_.write("survey.jsonl", benchmark(12))}};
  Json report = check();
  EXPECT_EQ(report["status"], "ready") << report.dump(2);
  EXPECT_EQ(report["external"][0]["rows"], 12);
  EXPECT_EQ(report["external"][0]["flagged_rows"], 0);

  documents_.push_back("Quiz. In the survey of islands that the academy made, what had changed most since the survey before it? (A) colour of islands");
  report = check();
  EXPECT_EQ(report["status"], "caution");
  EXPECT_EQ(report["external"][0]["flagged_lines"], Json::array({5}));
  Json finding = find(report, "external_row_in_corpus");
  EXPECT_EQ(finding["external"], "survey");
  EXPECT_EQ(finding["external_line"], 5);
  EXPECT_EQ(finding["document"], "doc-2");

  // More than a tenth of the rows, wherever they are found.
  chat_ += base::canonical({{"user", "In the survey of violins that the academy made, what had changed most since the survey before it?"}, {"assistant", "Their age."}}) + "\n";
  report = check();
  EXPECT_EQ(report["status"], "blocked");
  EXPECT_EQ(report["external"][0]["rows_in_sft"], 1);
  EXPECT_THAT(find(report, "external_contamination")["message"].get<std::string>(), HasSubstr("2 of 12 rows"));

  external_[0].path = folder_ / "nowhere.jsonl";
  report = check();
  EXPECT_EQ(report["status"], "blocked");
  EXPECT_THAT(find(report, "missing_input")["message"].get<std::string>(), HasSubstr("survey"));
}

TEST_F(Honesty, ShortQuestionsOfABenchmarkCountWithTheirChoicesOnly) {
  external_ = {{"short", folder_.write("short.jsonl", base::canonical({{"question", "Which of these is a mammal?"}, {"choices", {"a spotted salamander", "a grey whale", "an old trout"}}, {"answer", 1}}) + "\n" +
                                                          base::canonical({{"question", "Which of these is a mineral?"}, {"choices", {"quartz sand", "oak bark", "wool"}}, {"answer", 0}}) + "\n")}};
  documents_ = {"The teacher asked: which of these is a mammal? Nobody knew."};
  EXPECT_EQ(check()["external"][0]["flagged_rows"], 0);
  documents_ = {"Which of these is a mammal?\n A. a spotted salamander\n B. a grey whale\n C. an old trout\n"};
  EXPECT_EQ(check()["external"][0]["flagged_lines"], Json::array({1}));
}

TEST_F(Honesty, LongDocumentsAreSearchedToTheirEnd) {
  // Far above the size that is searched in one piece; the prompt at many places, some across the seams.
  std::string filler;
  while (filler.size() < (7u << 20)) filler += "so it went on along the quiet shore and past the mill ";
  for (size_t at : {size_t{0}, size_t{1} << 20, (size_t{1} << 20) - 60, (size_t{1} << 20) + 40, size_t{3} << 20, filler.size()}) {
    std::string text = filler;
    at = text.find(' ', std::min(at, text.size() - 1)) + 1;
    text.insert(at, cat(kQuestion, " "));
    documents_ = {"before", text, "after"};
    Json report = check();
    EXPECT_EQ(report["corpus_prompt_hits"], 1) << at;
    EXPECT_EQ(find(report, "eval_prompt_in_corpus")["offset"], at);
    EXPECT_EQ(find(report, "eval_prompt_in_corpus")["document"], "doc-1");
  }
}

TEST_F(Honesty, TheReportDoesNotDependOnThreads) {
  documents_.clear();
  for (int i = 0; i < 3000; ++i) documents_.push_back(cat("Page ", i, ". ", std::string(i % 97 == 0 ? kQuestion : "Nothing to see."), std::string(static_cast<size_t>(i), 'z')));
  auto report = [&](int threads) {
    HonestyInputs inputs;
    inputs.eval = folder_.write("eval.jsonl", eval_);
    inputs.threads = threads;
    inputs.corpus = [&](const std::function<bool(const CorpusDocument&)>& visit) {
      for (size_t i = 0; i < documents_.size(); ++i)
        if (!visit({documents_[i], cat("doc-", i), "books.jsonl"})) return;
    };
    return check_honesty(inputs);
  };
  const Json one = report(1);
  EXPECT_EQ(one["findings"][0]["document"], "doc-0");
  EXPECT_EQ(one, report(2));
  EXPECT_EQ(one, report(7));
}

TEST_F(Honesty, RepeatedSftPrompts) {
  chat_.clear();
  for (int i = 0; i < 20; ++i) chat_ += base::canonical({{"user", i < 5 ? "Tell me about  the LIGHTHOUSE." : cat("Tell me about house number ", i, ".")}, {"assistant", "It is old."}}) + "\n";
  Json finding = find(check(), "duplicate_sft_prompts");
  ASSERT_FALSE(finding.is_null());
  EXPECT_THAT(finding["message"].get<std::string>(), HasSubstr("4 of 20"));
  EXPECT_THAT(finding["message"].get<std::string>(), HasSubstr("5 times"));
  EXPECT_FALSE(finding["remedy"].get<std::string>().empty());
}

TEST_F(Honesty, EveryFindingSaysWhatToDo) {
  documents_ = {kQuestion, "It is known that scattered light is what we see."};
  chat_ += base::canonical({{"user", kQuestion}, {"assistant", "tulips"}}) + "\n";
  eval_ += row(kQuestion, "tulips") + "{\"user\":5}\n";
  external_ = {{"gone", folder_ / "gone.csv"}};
  const Json report = check();
  EXPECT_GE(report["findings"].size(), 5u);
  for (const Json& finding : report["findings"]) EXPECT_FALSE(finding.value("remedy", "").empty()) << finding.dump();
}

TEST_F(Honesty, CommandWritesReportsAndScansRecipePacks) {
  folder_.write("books.txt", cat("Once upon a time. ", kQuestion));
  folder_.write("recipe.json", R"({"sources":[{"path":"books.txt","label":"books"}]})");
  folder_.write("chat.jsonl", chat_);
  folder_.write("eval.jsonl", eval_);
  HonestyOptions options;
  options.dataset_pack = folder_.write("dataset_pack.json", R"({"corpus":{"recipe":"recipe.json"},"chat":"chat.jsonl","eval":"eval.jsonl"})").string();
  options.out_dir = (folder_ / "out").string();
  corpus::CommandOutput out = run_honesty(base::real_file_system(), options);
  EXPECT_EQ(out.json["status"], "blocked");
  EXPECT_EQ(out.json["corpus_prompt_hits"], 1);
  EXPECT_THAT(out.text, HasSubstr("honesty: blocked"));
  EXPECT_EQ(base::read_json(folder_.path() / "out" / "honesty_report.json")["status"], "blocked");
  EXPECT_THAT(base::read_file(folder_.path() / "out" / "report.md"), HasSubstr("gardener"));
  options.chat_input = "x";
  EXPECT_THROW(run_honesty(base::real_file_system(), options), base::Error);
}

}  // namespace
}  // namespace picochat::honesty
