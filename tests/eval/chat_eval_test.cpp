#include "picochat/eval/chat_eval.hpp"

#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/tiny_model.hpp"
#include "picochat/base/error.hpp"
#include "picochat/eval/scoring.hpp"
#include "picochat/tasks/rows.hpp"
#include "picochat/train/checkpoint.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::eval {
namespace {

std::vector<tasks::EvalRow> rows() {
  std::vector<tasks::EvalRow> out;
  for (int i = 0; i < 30; ++i) {
    tasks::EvalRow row;
    row.user = "What is " + std::to_string(i) + " and " + std::to_string(i * i) + "?";
    row.category = i % 3 == 0 ? "refusal" : i % 3 == 1 ? "identity" : "bench_choice_science";
    row.answerable = i % 3 != 0;
    row.level = "heldout";
    if (i % 3 == 0) row.must_include_any = {{"do not know"}};
    if (i % 3 == 1) row.must_include = {"Picochat"}, row.max_words = 4;
    if (i % 3 == 2) row.choice_labels = {"A", "B", "C", "D"}, row.correct_choice = "B";
    out.push_back(row);
  }
  return out;
}

EvalReport run(const std::vector<tasks::EvalRow>& asked, ChatEvalOptions options = {}, bool corpus = false) {
  options.max_new_tokens = 12;
  static const LanguageModel model = random_model();
  EvalJob job{.rows = asked, .input_identity = {{"path", "eval.jsonl"}}, .label = "eval", .where = "", .open_support_corpus = {}};
  if (corpus)
    job.open_support_corpus = [] {
      return [given = false](std::string& text) mutable {
        text = "a corpus of words";
        return !std::exchange(given, true);
      };
    };
  return eval_chat(options, job, model);
}

TEST(ChatEval, AnswersEveryRowInOrder) {
  auto asked = rows();
  auto report = run(asked);
  ASSERT_EQ(report.examples.size(), asked.size());
  for (size_t i = 0; i < asked.size(); ++i) {
    EXPECT_EQ(report.examples[i].at("index"), i + 1);
    EXPECT_EQ(report.examples[i].at("user"), asked[i].user);
    EXPECT_EQ(report.examples[i].contains("choice_logprobs"), asked[i].is_choice());
  }
  EXPECT_EQ(report.summary.at("num_examples"), 30);
  EXPECT_EQ(report.summary.at("choice_examples"), 10);
  EXPECT_EQ(report.input.at("rows"), 30);
  EXPECT_EQ(report.examples[1].at("generation_max_new_tokens"), 12);
}

TEST(ChatEval, BatchingChangesNothingButTime) {
  auto asked = rows();
  ChatEvalOptions one, many;
  one.batch_rows = 1;
  many.batch_rows = 13;
  auto a = run(asked, one).to_json(), b = run(asked, many).to_json();
  for (auto* report : {&a, &b}) {
    report->erase("timing");
    report->at("config").erase("batch_rows");
  }
  EXPECT_EQ(a, b);
}

TEST(ChatEval, TheReportNamesWhatItJudged) {
  auto report = run(rows());
  EXPECT_EQ(report.checkpoint.at("path"), "random");
  EXPECT_EQ(report.config.at("ci_method"), "wilson");
  EXPECT_TRUE(report.timing.contains("seconds"));
  EXPECT_EQ(base::dump(report.to_json().at("summary")).find("_sec"), std::string::npos) << "no clock outside timing";
}

TEST(ChatEval, CorpusSupportNeedsACorpus) {
  auto asked = rows();
  asked[0].require_corpus_support = true;
  asked[0].line = 4;
  EXPECT_THROW(run(asked), base::Error);
  EXPECT_EQ(run(asked, {}, true).summary.at("corpus_support"), "measured");
  EXPECT_EQ(run(rows()).summary.at("corpus_support"), "not_measured");
}

TEST(ChatEval, NoRowsIsBadInput) { EXPECT_THROW(run({}), base::Error); }

tasks::ChatRow chat(const std::string& user, const std::string& assistant) {
  tasks::ChatRow row;
  row.turns = {{"user", user}, {"assistant", assistant}};
  row.category = "identity";
  return row;
}

TEST(SftFit, AsksForWhatWasTrained) {
  std::vector<tasks::ChatRow> chats = {chat("Who are you?", "I am Picochat."), chat("What is 2 + 2?", "4")};
  auto fit = sft_fit_rows(chats, "sft_train", 0, 1);
  ASSERT_EQ(fit.size(), 2u);
  EXPECT_EQ(fit[0].user, "Who are you?");
  EXPECT_EQ(fit[0].split, "sft_train");
  EXPECT_TRUE(score_reply(fit[0], "I am Picochat.", {}).passed);
  EXPECT_FALSE(score_reply(fit[1], "5", {}).passed);
}

TEST(SftFit, ACapChoosesByHashNotByPlace) {
  std::vector<tasks::ChatRow> chats;
  for (int i = 0; i < 50; ++i) chats.push_back(chat("Question number " + std::to_string(i) + "?", "yes"));
  auto fit = sft_fit_rows(chats, "sft_heldout", 10, 1);
  ASSERT_EQ(fit.size(), 10u);
  EXPECT_NE(fit.back().user, "Question number 9?");
  std::reverse(chats.begin(), chats.end());
  std::set<std::string> a, b;
  for (const auto& row : fit) a.insert(row.user);
  for (const auto& row : sft_fit_rows(chats, "sft_heldout", 10, 1)) b.insert(row.user);
  EXPECT_EQ(a, b);
}

class Commands : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = temporary_.path();  // tests run in processes of their own, several at once
    auto model = random_model();
    train::save_checkpoint(files_, folder_ / "checkpoint",
                           {.config = model.config, .parameters = model.parameters, .metadata = {{"step", 12}, {"train_loss", 1.5}}, .state = {}, .training_state = {}});
    base::write_file(files_, folder_ / "tokenizer.json", model.tokenizer->to_json());
    options_.checkpoint = (folder_ / "checkpoint").string();
    options_.tokenizer = (folder_ / "tokenizer.json").string();
    options_.out_dir = (folder_ / "out").string();
    options_.max_new_tokens = 8;
  }
  test::TemporaryFolder temporary_;
  base::FileSystem& files_ = base::real_file_system();
  base::Path folder_;
  ChatEvalOptions options_;
};

TEST_F(Commands, EvalChatWritesItsReport) {
  auto asked = rows();
  base::write_file(files_, folder_ / "eval.jsonl", tasks::to_jsonl(asked));
  options_.input = (folder_ / "eval.jsonl").string();
  run_eval_chat(options_, files_);
  auto report = base::read_json(folder_ / "out" / "eval_report.json");
  EXPECT_EQ(report.at("summary").at("num_examples"), 30);
  EXPECT_EQ(report.at("checkpoint").at("step"), 12);
  EXPECT_EQ(report.at("checkpoint").at("sha256").get<std::string>().size(), 64u);
  EXPECT_EQ(report.at("input").at("sha256"), base::sha256_file(folder_ / "eval.jsonl").hex());
  EXPECT_TRUE(std::filesystem::exists(folder_ / "out" / "report.md"));
}

TEST_F(Commands, SftFitReadsChatRows) {
  std::vector<tasks::ChatRow> chats = {chat("Who are you?", "I am Picochat."), chat("What is 2 + 2?", "4")};
  base::write_file(files_, folder_ / "chat.jsonl", tasks::to_jsonl(chats));
  options_.input = (folder_ / "chat.jsonl").string();
  run_eval_sft_fit(options_, files_);
  EXPECT_EQ(base::read_json(folder_ / "out" / "eval_report.json").at("summary").at("num_examples"), 2);
  EXPECT_EQ(tasks::read_eval_rows(folder_ / "out" / "sft_fit_eval.jsonl").size(), 2u);
}

TEST_F(Commands, AnotherTokenizerIsRefused) {
  tokenizer::TrainOptions train{.type = "char"};
  bool given = false;
  auto other = tokenizer::train_tokenizer(train, [&](std::string& text) {
    text = "näive Straße";
    return !std::exchange(given, true);
  });
  base::write_file(files_, folder_ / "tokenizer.json", other->to_json());
  try {
    load_language_model(options_.checkpoint, options_.tokenizer);
    FAIL() << "a tokenizer of another size was taken";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kBadInput);
    EXPECT_THAT(error.what(), testing::HasSubstr("tokenizer"));
  }
}

TEST_F(Commands, ATokenizerOfTheSameSizeButAnotherDigestIsRefused) {
  auto model = random_model();
  train::save_checkpoint(files_, folder_ / "other",
                         {.config = model.config, .parameters = model.parameters, .metadata = {{"tokenizer_sha256", std::string(64, '0')}}, .state = {}, .training_state = {}});
  EXPECT_THROW(load_language_model(folder_ / "other", options_.tokenizer), base::Error);
}

// Every bound of the stated speed: 700 rows of the shape of the CPU preset, replies never ending by themselves.
TEST(ChatEval, SevenHundredRowsTakeUnderAMinute) {
  auto config = tiny_config(0);
  config.context_size = 256;
  config.n_embd = 128;
  config.n_layer = 4;
  const LanguageModel model = random_model(config);
  std::vector<tasks::EvalRow> asked;
  for (int i = 0; i < 700; ++i) {
    tasks::EvalRow row;
    row.user = "Solve this problem carefully, number " + std::to_string(i) + ": there are " + std::to_string(i * 3) + " books on a shelf.";
    row.category = i % 10 == 0 ? "bench_choice_science" : "bench_math_addition";
    row.level = "heldout";
    if (i % 10 == 0) row.choice_labels = {"A", "B", "C", "D"}, row.correct_choice = "C";
    else row.must_include = {"7"}, row.max_words = 24;
    asked.push_back(row);
  }
  ChatEvalOptions options;
  options.log_every = 700;
  EvalJob job{.rows = asked, .input_identity = base::Json::object(), .label = "eval", .where = "", .open_support_corpus = {}};
  auto report = eval_chat(options, job, model);
  RecordProperty("seconds", std::to_string(report.timing.at("seconds").get<double>()));
  EXPECT_LT(report.timing.at("seconds").get<double>(), 60);
}

TEST(Options, HaveTheDocumentedNames) {
  for (const char* name : {"input", "checkpoint", "tokenizer", "out_dir", "max_new_tokens", "temperature", "top_k", "top_p", "repetition_penalty", "seed", "device",
                           "precision", "matmul_precision", "log_every", "case_sensitive", "support_corpus", "corpus_support_threshold", "ci_bootstrap_samples", "ci_confidence"})
    EXPECT_NE(chat_eval_options().find(name), nullptr) << name;
  EXPECT_NE(sft_fit_options().find("max_rows"), nullptr);
}

}  // namespace
}  // namespace picochat::eval
