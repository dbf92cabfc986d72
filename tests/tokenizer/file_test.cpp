// Files that are damaged or not ours: each is BadInput with a message that names the trouble.
#include <algorithm>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "picochat/base/text.hpp"
#include "tokenizer/training_texts.hpp"

namespace picochat::tokenizer {
namespace {

using testing::HasSubstr;
using Value = nlohmann::json;

std::string refusal(const std::string& text) {
  try {
    parse_tokenizer(text, "tokenizer.json");
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kBadInput);
    return error.what();
  }
  return "accepted";
}

const std::string& good() {
  static const std::string text = train_on(hf_texts(), {.vocab_size = 400})->to_json();
  return text;
}

std::string changed(const std::function<void(Value& file, Value& model)>& change) {
  Value file = Value::parse(good());
  change(file, file["model"]);
  return file.dump();
}

TEST(TokenizerFile, RewrittenByAnotherProgramItStillLoads) {
  EXPECT_EQ(refusal(changed([](auto&, auto&) {})), "accepted");
  EXPECT_EQ(refusal(changed([](auto&, auto& model) { model.erase("picochat"); })), "accepted");
  EXPECT_EQ(refusal(changed([](auto&, auto& model) {
    for (auto& merge : model["merges"]) merge = merge[0].template get<std::string>() + " " + merge[1].template get<std::string>();
  })), "accepted");
}

TEST(TokenizerFile, NotJson) {
  EXPECT_THAT(refusal(""), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal("{\"version\": "), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal("{\"version\": 1e999}"), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal("[1, 2]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal("{}"), HasSubstr("\"model\" is missing"));
  EXPECT_THAT(refusal("{\"model\": 7}"), HasSubstr("\"model\" has the wrong type"));
}

TEST(TokenizerFile, TruncatedAnywhere) {
  for (size_t size = 0; size + 2 < good().size(); size += 97) EXPECT_NE(refusal(good().substr(0, size)), "accepted") << size;
}

TEST(TokenizerFile, MutatedBytesNeverCrash) {
  base::require(good().size() > 1000, "a file to damage");
  for (size_t at = 0; at < good().size(); at += 211) {
    for (char byte : {'\0', '"', '9', '\xFF'}) {
      std::string text = good();
      text[at] = byte;
      refusal(text);
    }
  }
}

TEST(TokenizerFile, Vocabulary) {
  EXPECT_THAT(refusal(changed([](auto&, auto& model) { model["vocab"].erase("e"); })), HasSubstr("gap"));
  EXPECT_THAT(refusal(changed([](auto&, auto& model) { model["vocab"]["e"] = model["vocab"]["f"]; })), HasSubstr("twice"));
  EXPECT_THAT(refusal(changed([](auto&, auto& model) { model["vocab"]["e"] = -1; })), HasSubstr("token id"));
  EXPECT_THAT(refusal(changed([](auto&, auto& model) { model["vocab"]["e"] = "x"; })), HasSubstr("token id"));
  EXPECT_THAT(refusal(changed([](auto&, auto& model) { std::swap(model["vocab"]["<pad>"], model["vocab"]["<bos>"]); })), HasSubstr("special token is not in its place"));
  EXPECT_THAT(refusal(changed([](auto&, auto& model) { model["vocab"] = Value::object(); })), HasSubstr("too small"));
  EXPECT_THAT(refusal(changed([](auto&, auto& model) {
    model["vocab"]["\u4E2D"] = model["vocab"]["e"];
    model["vocab"].erase("e");
  })), HasSubstr("byte-level alphabet"));
}

TEST(TokenizerFile, Merges) {
  EXPECT_THAT(refusal(changed([](auto&, auto& model) { model.erase("merges"); })), HasSubstr("\"merges\" is missing"));
  EXPECT_THAT(refusal(changed([](auto&, auto& model) { model["merges"][3] = Value::array({"e", "qqqq"}); })), HasSubstr("merge 3 uses a token"));
  EXPECT_THAT(refusal(changed([](auto&, auto& model) { model["merges"][3] = 5; })), HasSubstr("merge 3 is not a pair"));
  EXPECT_THAT(refusal(changed([](auto&, auto& model) { std::reverse(model["merges"].begin(), model["merges"].end()); })), HasSubstr("self-test"));
  EXPECT_THAT(refusal(changed([](auto&, auto& model) { model["merges"].erase(model["merges"].begin(), model["merges"].begin() + 30); })), HasSubstr("self-test"));
}

TEST(TokenizerFile, OtherKindsOfTokenizer) {
  EXPECT_THAT(refusal(changed([](auto&, auto& model) { model["type"] = "WordPiece"; })), HasSubstr("BPE"));
  EXPECT_THAT(refusal(changed([](auto& file, auto&) { file["normalizer"] = {{"type", "NFC"}}; })), HasSubstr("normalizer"));
  EXPECT_THAT(refusal(changed([](auto& file, auto&) { file["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "\\w+"; })), HasSubstr("pre-tokenizer"));
  EXPECT_THAT(refusal(changed([](auto&, auto& model) { model["ignore_merges"] = true; })), HasSubstr("ignore_merges"));
  EXPECT_THAT(refusal(changed([](auto&, auto& model) { model["dropout"] = 0.1; })), HasSubstr("dropout"));
  EXPECT_THAT(refusal(changed([](auto& file, auto&) { file["added_tokens"].erase(7); })), HasSubstr("added_tokens"));
  EXPECT_THAT(refusal(changed([](auto&, auto& model) { model["picochat"]["type"] = "char"; })), HasSubstr("contradicts"));
}

}  // namespace
}  // namespace picochat::tokenizer
