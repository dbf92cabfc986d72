#include "picochat/tokenizer/commands.hpp"

#include <filesystem>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tokenizer/training_texts.hpp"

namespace picochat::tokenizer {
namespace {

using testing::HasSubstr;

class Commands : public testing::Test {
 protected:
  Commands() : folder_(base::Path(testing::TempDir()) / ("tok_commands_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()))) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_ / "text");
    int number = 0;
    for (const auto& text : hf_texts()) base::write_file(files_, folder_ / "text" / ("t" + std::to_string(number++) + ".txt"), text);
    output_ = tok_train(files_, {.input = (folder_ / "text").string(), .out = path(), .vocab_size = 500});
  }
  ~Commands() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return (folder_ / "out" / "tokenizer.json").string(); }

  base::FileSystem& files_ = base::real_file_system();
  base::Path folder_;
  CommandOutput output_;
};

TEST_F(Commands, TrainWritesAFileThatLoadsAndSaysWhatItIs) {
  EXPECT_THAT(output_.text, HasSubstr("trained tokenizer"));
  EXPECT_THAT(output_.text, HasSubstr("type: bpe\n"));
  EXPECT_THAT(output_.text, HasSubstr("vocab_size: 500\n"));
  EXPECT_EQ(load_tokenizer(path())->digest().hex(), output_.json.at("digest"));
}

TEST_F(Commands, EncodeAndDecodeReturnTheInput) {
  const std::string text = "Some text, \xFF\xC3 not all of it UTF-8,\n<|end|> and 12 numbers \u4E2D";
  std::istringstream in(text), none;
  CommandOutput ids = tok_encode(files_, {.tokenizer = path(), .json = true}, in);
  EXPECT_GT(ids.json.size(), 10u);
  std::istringstream listed(ids.text), as_json(base::dump(ids.json));
  EXPECT_EQ(tok_decode({.tokenizer = path()}, listed).text, text);
  EXPECT_EQ(tok_decode({.tokenizer = path()}, as_json).text, text);
  base::write_file(files_, folder_ / "ids.txt", "1 264 2");
  EXPECT_THAT(tok_decode({.tokenizer = path(), .input = (folder_ / "ids.txt").string(), .render_special = true}, none).text, testing::StartsWith("<bos>"));
}

TEST_F(Commands, EncodeWritesDocumentsAsIntegers) {
  const base::Path rows = folder_ / "rows.jsonl";
  base::write_file(files_, rows, "{\"text\":\"one row\"}\n{\"text\":\"another <|end|>\"}\n");
  std::istringstream none;
  const CommandOutput lines = tok_encode(files_, {.tokenizer = path(), .input = rows.string(), .json = true}, none);
  const std::string out = (folder_ / "ids.bin").string();
  const CommandOutput written = tok_encode(files_, {.tokenizer = path(), .input = rows.string(), .out = out}, none);
  EXPECT_EQ(written.json.at("documents"), 2);
  EXPECT_EQ(written.json.at("token_bytes"), 2);
  const std::string bytes = base::read_file(out);
  std::vector<TokenId> found, expected;
  for (size_t i = 0; i < bytes.size(); i += 2) found.push_back(static_cast<uint8_t>(bytes[i]) | static_cast<uint8_t>(bytes[i + 1]) << 8);
  for (const auto& row : lines.json) {
    expected.push_back(kBos);
    for (const auto& id : row) expected.push_back(id.get<TokenId>());
    expected.push_back(kEos);
  }
  EXPECT_EQ(found, expected);
  EXPECT_EQ(written.json.at("tokens"), expected.size());
  EXPECT_THROW(tok_encode(files_, {.tokenizer = path(), .out = out}, none), base::Error);
}

TEST_F(Commands, ExportWritesWhatOthersLoad) {
  const CommandOutput output = tok_export(files_, {.tokenizer = path(), .out = (folder_ / "hub").string(), .model_max_length = 77, .tiktoken = true});
  EXPECT_EQ(output.json.at("files").size(), 5u);
  EXPECT_EQ(base::read_file(folder_ / "hub" / "tokenizer.json"), base::read_file(path()));
  EXPECT_EQ(base::read_json(folder_ / "hub" / "tokenizer_config.json").at("model_max_length"), 77);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "hub" / "chat_template.jinja"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "hub" / "tokenizer.tiktoken"));
}

TEST_F(Commands, TrainLearnsFromASampleWithinTheBudget) {
  const CommandOutput sampled = tok_train(files_, {.input = (folder_ / "text").string(), .out = path(), .vocab_size = 300, .sample_bytes = 1000});
  EXPECT_LE(sampled.json.at("bytes").get<int64_t>(), 1000);
  EXPECT_GT(sampled.json.at("bytes").get<int64_t>(), 0);
  EXPECT_EQ(sampled.json.at("bytes_in_all"), output_.json.at("bytes"));
  EXPECT_THROW(tok_train(files_, {.input = (folder_ / "text").string(), .out = path(), .vocab_size = 300, .sample_bytes = 1}), base::Error);
}

TEST_F(Commands, TiktokenRanksAreOneFlagAway) {
  tok_train(files_, {.input = (folder_ / "text").string(), .out = path(), .vocab_size = 300, .tiktoken = true});
  EXPECT_TRUE(std::filesystem::exists(folder_ / "out" / "tokenizer.tiktoken"));
  EXPECT_THROW(tok_train(files_, {.input = (folder_ / "text").string(), .out = path(), .tokenizer_type = "char", .tiktoken = true}), base::Error);
}

TEST_F(Commands, DecodeRefusesWhatIsNotAnId) {
  for (const char* text : {"12 cat", "-4", "99999999999999", "500"}) {
    std::istringstream in(text);
    EXPECT_THROW(tok_decode({.tokenizer = path()}, in), base::Error) << text;
  }
}

TEST_F(Commands, InspectCountsTokens) {
  CommandOutput output = tok_inspect({.tokenizer = path()});
  EXPECT_EQ(output.json.at("tokenizer_type"), "bpe");
  EXPECT_EQ(output.json.at("num_text_tokens"), 492);
  EXPECT_EQ(output.json.at("tokens_by_bytes").at("1"), 256);
  EXPECT_EQ(output.json.at("longest_tokens").size(), 10u);
}

TEST_F(Commands, EvalMeasuresBesideABaseline) {
  const std::string bytes = (folder_ / "byte.json").string();
  tok_train(files_, {.input = (folder_ / "text").string(), .out = bytes, .tokenizer_type = "byte"});
  CommandOutput output = tok_eval({.tokenizer = path(), .input = (folder_ / "text").string(), .baseline = bytes});
  EXPECT_GT(output.json.at("bytes_per_token").get<double>(), 1.3);
  EXPECT_DOUBLE_EQ(output.json.at("baseline_bytes_per_token").get<double>(), 1.0);
  EXPECT_EQ(output.json.at("documents_that_do_not_decode_to_their_bytes"), 0);
  EXPECT_TRUE(output.json.at("by_kind").contains("arabic"));
  EXPECT_TRUE(output.json.at("by_kind").contains("han"));
  EXPECT_FALSE(output.json.at("worst_pieces").empty());
}

}  // namespace
}  // namespace picochat::tokenizer
