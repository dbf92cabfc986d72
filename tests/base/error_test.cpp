#include "picochat/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace picochat::base {
namespace {

using ::testing::HasSubstr;

TEST(Error, MessageSaysWhatWhereExpectedFoundAndRemedy) {
  const auto error = bad_input({.what = "the row has no text", .where = "rows.jsonl:7", .expected = "a \"text\" key",
                                .found = "\"txt\"", .remedy = "rename the key"});
  const std::string message = error.what();
  EXPECT_TRUE(message.starts_with("the row has no text\n")) << message;
  for (const char* part : {"rows.jsonl:7", "expected: a \"text\" key", "found:    \"txt\"", "to do:    rename the key"})
    EXPECT_THAT(message, HasSubstr(part));
}

TEST(Error, PartsThatAreEmptyAreNotPrinted) {
  const std::string message = environment_error({.what = "no network"}).what();
  EXPECT_EQ(message, "no network");
}

TEST(Error, KindDecidesTheExitCode) {
  EXPECT_EQ(static_cast<int>(internal_error("x").code()), 1);
  EXPECT_EQ(static_cast<int>(usage_error({}).code()), 2);
  EXPECT_EQ(static_cast<int>(blocked({}).code()), 3);
  EXPECT_EQ(static_cast<int>(bad_input({}).code()), 4);
  EXPECT_EQ(static_cast<int>(environment_error({}).code()), 5);
}

TEST(Error, AnInterruptionIsNotAnError) {
  try {
    throw Interrupted(15);
  } catch (const Error&) {
    FAIL() << "an interruption must not be reported as a failure";
  } catch (const Interrupted& interruption) {
    EXPECT_EQ(interruption.signal_number(), 15);
  }
}

TEST(Error, RequireNamesTheInvariantAndAsksForAReport) {
  EXPECT_NO_THROW(require(true, "holds"));
  try {
    require(false, "offsets are sorted");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInternal);
    EXPECT_THAT(error.what(), HasSubstr("offsets are sorted"));
    EXPECT_THAT(error.what(), HasSubstr("report"));
  }
}

}  // namespace
}  // namespace picochat::base
