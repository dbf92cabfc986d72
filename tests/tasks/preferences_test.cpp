// Preference rows: the names that the field uses, and errors that say where and what.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "picochat/base/error.hpp"
#include "picochat/tasks/preferences.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::tasks {
namespace {

using ::testing::HasSubstr;

std::string error_of(const char* text) {
  try {
    parse_preference_row(base::Json::parse(text), "pairs.jsonl:7");
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kBadInput);
    return error.what();
  }
  return "";
}

TEST(PreferenceRows, KnowTheFieldsByAllTheirNames) {
  for (const char* text : {R"({"user": "q", "chosen": "a", "rejected": "b", "group": "g"})", R"({"prompt": "q", "preferred": "a", "dispreferred": "b", "group_id": "g"})",
                           R"({"prompt": "q", "winner": "a", "loser": "b", "template": "g"})"}) {
    const auto row = parse_preference_row(base::Json::parse(text), "x:1");
    EXPECT_EQ(row.prompt, (std::vector<ChatTurn>{{"user", "q"}}));
    EXPECT_EQ(row.chosen, "a");
    EXPECT_EQ(row.rejected, "b");
    EXPECT_EQ(row.category, "preference");
    EXPECT_EQ(row.group, "g");
    EXPECT_EQ(row.with(row.rejected).back(), (ChatTurn{"assistant", "b"}));
  }
}

TEST(PreferenceRows, ErrorsNameTheLineAndTheField) {
  EXPECT_THAT(error_of(R"({"user": "q", "chosen": "a"})"), ::testing::AllOf(HasSubstr("pairs.jsonl:7"), HasSubstr("'rejected' is missing")));
  EXPECT_THAT(error_of(R"({"user": "q", "chosen": "a", "rejected": "a"})"), HasSubstr("the two replies are equal"));
  EXPECT_THAT(error_of(R"({"user": "q", "chosen": "a", "preferred": "c", "rejected": "b"})"), HasSubstr("two names of one field"));
  EXPECT_THAT(error_of(R"({"user": "q", "chosen": " ", "rejected": "b"})"), HasSubstr("an empty one"));
  EXPECT_THAT(error_of(R"({"user": "q", "chosn": "a", "rejected": "b"})"), HasSubstr("did you mean 'chosen'"));
}

TEST(PreferenceRows, AFileWithoutRowsIsRefused) {
  const test::TemporaryFolder folder;
  base::write_file(base::real_file_system(), folder.path() / "pairs.jsonl", "\n\n");
  EXPECT_THROW(read_preference_rows(folder.path() / "pairs.jsonl"), base::Error);
}

}  // namespace
}  // namespace picochat::tasks
