#include "picochat/base/json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "picochat/base/error.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::base {
namespace {

using ::testing::HasSubstr;

// The message of the BadInput that `action` throws.
template <typename Action>
std::string bad_input_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadInput) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

TEST(Json, KeysKeepTheirOrder) { EXPECT_EQ(dump(parse_json(R"({"b":1,"a":[2.5,null]})", "x"), -1), R"({"b":1,"a":[2.5,null]})"); }

TEST(Json, SyntaxErrorsNameTheFileAndLine) {
  test::TemporaryFolder folder;
  const auto path = folder.write("pack.json", "{\n  \"name\": \"demo\",\n  \"chat\" \"rows.jsonl\"\n}\n");
  EXPECT_THAT(bad_input_of([&] { read_json(path); }), HasSubstr(path.string() + ":3"));
}

TEST(Json, ADuplicateKeyIsAnErrorAtAnyDepth) {
  EXPECT_THAT(bad_input_of([] { parse_json(R"({"a":{"x":1,"y":2,"x":3}})", "p.json"); }), HasSubstr("\"x\" stands twice"));
  EXPECT_NO_THROW(parse_json(R"([{"x":1},{"x":2},{"a":{"x":1},"x":2}])", "p.json"));
}

TEST(Json, WhatIsNotJsonIsBadInputNotACrash) {
  for (const char* text : {"", "{", "nul", "{\"a\":1} trailing", "\"\xff\"", "1e999", "[1,]", "\x00"})
    EXPECT_THAT(bad_input_of([&] { parse_json(text, "p.json"); }), HasSubstr("p.json")) << text;
}

TEST(Json, InvalidUtf8IsWrittenAsReplacementCharacter) {
  EXPECT_EQ(dump(Json{{"text", "a\xff"}}, -1), "{\"text\":\"a\xef\xbf\xbd\"}");
}

TEST(Json, CanonicalFormSortsKeysAtEveryLevel) {
  const auto one = parse_json(R"({"b":{"y":1,"x":2},"a":[{"d":1,"c":2}]})", "x");
  const auto two = parse_json(R"({ "a":[{"c":2,"d":1}], "b":{"x":2,"y":1} })", "x");
  EXPECT_EQ(canonical(one), R"({"a":[{"c":2,"d":1}],"b":{"x":2,"y":1}})");
  EXPECT_EQ(canonical(one), canonical(two));
}

TEST(Json, TypedAccessNamesKeyExpectedAndFound) {
  const auto object = parse_json(R"({"name":3,"steps":"many","rate":"0.1","flag":1})", "x");
  const auto missing = bad_input_of([&] { get_string(object, "title", "pack.json"); });
  EXPECT_THAT(missing, HasSubstr("\"title\" is missing"));
  EXPECT_THAT(missing, HasSubstr("pack.json"));
  const auto wrong = bad_input_of([&] { get_string(object, "name", "pack.json"); });
  EXPECT_THAT(wrong, HasSubstr("expected: a string"));
  EXPECT_THAT(wrong, HasSubstr("found:    an integer"));
  bad_input_of([&] { get_int(object, "steps", "pack.json"); });
  bad_input_of([&] { get_number(object, "rate", "pack.json"); });
  bad_input_of([&] { get_bool_or(object, "flag", false, "pack.json"); });
  bad_input_of([&] { get_string_or(object, "name", "", "pack.json"); });
}

TEST(Json, TypedAccessReturnsValuesAndFallbacks) {
  const auto object = parse_json(R"({"name":"x","steps":-7,"rate":2,"flag":true})", "x");
  EXPECT_EQ(get_string(object, "name", ""), "x");
  EXPECT_EQ(get_int(object, "steps", ""), -7);
  EXPECT_EQ(get_number(object, "rate", ""), 2.0);
  EXPECT_TRUE(get_bool_or(object, "flag", false, ""));
  EXPECT_TRUE(get_bool_or(object, "absent", true, ""));
  EXPECT_EQ(get_string_or(object, "absent", "default", ""), "default");
}

TEST(Json, AnIntegerThatDoesNotFitIsRefusedNotWrapped) {
  const auto object = parse_json(R"({"n":18446744073709551615,"x":1.5})", "x");
  bad_input_of([&] { get_int(object, "n", "p.json"); });
  bad_input_of([&] { get_int(object, "x", "p.json"); });
}

TEST(Json, UnknownKeysAreNamedWithTheNearestKnownOne) {
  const std::vector<std::string> known{"corpus_input", "chat_input"};
  const auto message = bad_input_of([&] { refuse_unknown_keys(Json{{"corpus_inptu", 1}}, known, "pack.json"); });
  EXPECT_THAT(message, HasSubstr("unknown key \"corpus_inptu\""));
  EXPECT_THAT(message, HasSubstr("did you mean \"corpus_input\"?"));
  EXPECT_NO_THROW(refuse_unknown_keys(Json{{"chat_input", 1}}, known, "pack.json"));
}

TEST(Json, AMemberThatIsNotThereIsNull) {
  const Json object{{"a", {{"b", 1}}}};
  EXPECT_EQ(member(member(object, "a"), "b"), 1);
  EXPECT_EQ(member(object, "c"), nullptr);
  EXPECT_EQ(member(member(member(object, "a"), "b"), "c"), nullptr) << "a number has no members";
}

}  // namespace
}  // namespace picochat::base
