#include "picochat/base/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "picochat/base/error.hpp"

namespace picochat::base {
namespace {

using ::testing::HasSubstr;

struct Settings {
  bool tie_embeddings = false;
  int64_t base_steps = 300;
  double learning_rate = 3e-4;
  std::string device = "auto";
  std::vector<std::string> external_eval;
  std::optional<int64_t> n_kv_head;
  std::optional<std::string> corpus_input;
};

const OptionTable<Settings>& table() {
  static const OptionTable<Settings> fields = [] {
    OptionTable<Settings> t;
    t.add("tie_embeddings", &Settings::tie_embeddings, "share input and output embeddings");
    t.add("base_steps", &Settings::base_steps, "optimizer steps").at_least(0).at_most(1e9);
    t.add("learning_rate", &Settings::learning_rate, "peak learning rate").more_than(0);
    t.add("device", &Settings::device, "where to run").choose({"auto", "cpu", "cuda"}).refuse("mps", "use --device cpu");
    t.add("external_eval", &Settings::external_eval, "a benchmark");
    t.add("n_kv_head", &Settings::n_kv_head, "key and value heads").at_least(1);
    t.add("corpus_input", &Settings::corpus_input, "text to train on");
    return t;
  }();
  return fields;
}

const OptionField& field(const std::string& name) { return *table().find(name); }

template <typename Action>
Error error_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return internal_error("");
}

TEST(Options, FlagsAreDashedNames) {
  EXPECT_EQ(field("tie_embeddings").flag(), "--tie-embeddings");
  EXPECT_EQ(field("tie_embeddings").no_flag(), "--no-tie-embeddings");
}

TEST(Options, MergeSetsOnlyWhatIsNamed) {
  Settings settings;
  table().merge(settings, {{"base_steps", 20}, {"tie_embeddings", true}, {"n_kv_head", 2}, {"external_eval", {"a", "b"}}}, "preset");
  EXPECT_EQ(settings.base_steps, 20);
  EXPECT_TRUE(settings.tie_embeddings);
  EXPECT_EQ(settings.n_kv_head, 2);
  EXPECT_EQ(settings.external_eval, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(settings.learning_rate, 3e-4);
  table().merge(settings, {{"n_kv_head", nullptr}, {"tie_embeddings", false}}, "flags");
  EXPECT_EQ(settings.n_kv_head, std::nullopt);
  EXPECT_FALSE(settings.tie_embeddings);
}

TEST(Options, WrittenSettingsReadBackEqual) {
  Settings settings, copy;
  settings.base_steps = 7;
  settings.learning_rate = 0.1 + 0.2;
  settings.corpus_input = "text";
  const Json written = table().to_json(settings);
  table().merge(copy, parse_json(dump(written), "manifest"), "manifest");
  EXPECT_EQ(table().to_json(copy), written);
  EXPECT_TRUE(written.at("n_kv_head").is_null());
}

TEST(Options, AnUnknownKeyIsNamedWithTheNearestOne) {
  Settings settings;
  const auto error = error_of([&] { table().merge(settings, {{"base_step", 3}}, "small.json"); });
  EXPECT_EQ(error.code(), ExitCode::kBadInput);
  EXPECT_EQ(error.details().where, "small.json");
  EXPECT_THAT(error.what(), HasSubstr("did you mean \"base_steps\"?"));
}

TEST(Options, ValuesOfTheWrongTypeOrRangeAreUsageErrorsThatNameTheFlag) {
  const std::vector<std::pair<std::string, Json>> bad{
      {"base_steps", -1},    {"base_steps", 2.5}, {"base_steps", "3"},    {"base_steps", nullptr}, {"base_steps", 2000000000},
      {"learning_rate", 0},  {"device", "gpu"},   {"tie_embeddings", 1},  {"external_eval", "a"},  {"external_eval", {1}},
      {"n_kv_head", 0},      {"n_kv_head", uint64_t{18446744073709551615u}}};
  for (const auto& [name, value] : bad) {
    const auto error = error_of([&] { check_option(field(name), value, "preset"); });
    EXPECT_EQ(error.code(), ExitCode::kUsage) << name << " " << value;
    EXPECT_THAT(error.what(), HasSubstr(field(name).flag()));
    EXPECT_FALSE(error.details().expected.empty());
  }
}

TEST(Options, FlagTextIsParsedWhole) {
  EXPECT_EQ(parse_option_text(field("base_steps"), "12"), Json(12));
  EXPECT_EQ(parse_option_text(field("learning_rate"), "3e-4"), Json(3e-4));
  EXPECT_EQ(parse_option_text(field("tie_embeddings"), "false"), Json(false));
  EXPECT_EQ(parse_option_text(field("corpus_input"), "12"), Json("12"));
  for (const char* text : {"", "12x", "1.5", " 12", "99999999999999999999", "0x10"})
    EXPECT_EQ(error_of([&] { parse_option_text(field("base_steps"), text); }).code(), ExitCode::kUsage) << text;
  for (const char* text : {"", "fast", "1e-4 ", "nan", "inf", "-1"})
    EXPECT_EQ(error_of([&] { parse_option_text(field("learning_rate"), text); }).code(), ExitCode::kUsage) << text;
  EXPECT_EQ(error_of([&] { parse_option_text(field("tie_embeddings"), "yes"); }).code(), ExitCode::kUsage);
}

TEST(Options, AMisspelledChoiceGetsASuggestion) {
  EXPECT_THAT(error_of([] { parse_option_text(field("device"), "cud"); }).what(), HasSubstr("did you mean cuda?"));
}

TEST(Options, WordsThatAreKnownButNotBuiltPointToTheAlternative) {
  const auto error = error_of([] { parse_option_text(field("device"), "mps"); });
  EXPECT_EQ(error.code(), ExitCode::kUsage);
  EXPECT_THAT(error.what(), HasSubstr("not built"));
  EXPECT_THAT(error.what(), HasSubstr("use --device cpu"));
}

}  // namespace
}  // namespace picochat::base
