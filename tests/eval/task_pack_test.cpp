// The rules and the generated rows must agree: a model that answers as it was taught passes.
#include <gtest/gtest.h>

#include "picochat/eval/scoring.hpp"
#include "picochat/tasks/task_pack.hpp"

namespace picochat::eval {
namespace {

class GeneratedPack : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(GeneratedPack, ReferencesPassAndRefusalsAreRecognised) {
  auto [profile, style] = GetParam();
  auto pack = tasks::generate_pack(profile, 400, 200, style, 42);
  int64_t generated = 0;
  for (const auto& row : pack.eval) {
    if (row.is_choice() || row.reference_answer.empty()) continue;
    ++generated;
    auto score = score_reply(row, row.reference_answer, {});
    EXPECT_TRUE(score.scored) << row.user;
    // A scratchpad row's reference may be the bare answer; its answer rule must still hold.
    EXPECT_TRUE(score.passed || (score.normalized_answer_checked && score.normalized_answer_correct)) << row.user << " -> " << row.reference_answer;
    EXPECT_EQ(score.refusal_match, !row.answerable) << row.category << ": " << row.user << " -> " << row.reference_answer;
  }
  EXPECT_GT(generated, 50);
  for (const auto& chat : pack.chat) {
    auto row = tasks::fit_row(chat);
    auto score = score_reply(row, chat.assistant(), {});
    EXPECT_TRUE(score.passed) << chat.user() << " -> " << chat.assistant() << " : " << (score.failure_reasons().empty() ? "not scored" : score.failure_reasons()[0]);
    EXPECT_EQ(score.refusal_match, !chat.answerable) << chat.user() << " -> " << chat.assistant();
  }
}

INSTANTIATE_TEST_SUITE_P(Profiles, GeneratedPack,
                         testing::Values(std::pair{"release_skills", "direct"}, std::pair{"release_skills", "scratchpad"}, std::pair{"full", "direct"}));

}  // namespace
}  // namespace picochat::eval
