// What a card says of the run behind it.
#include "exporter/card_sections.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace picochat::exporter {
namespace {

using base::Json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Json benchmark(const Json& source) {
  return {{"name", "arc-easy"}, {"source", source}, {"summary", {{"num_examples", 570}, {"primary_metric", "acc_norm"}, {"pass_rate", 0.25}, {"pass_rate_ci", {{"low", 0.2}, {"high", 0.3}}},
                                                                  {"choice_random_baseline", 0.25}}}};
}

TEST(CardSections, ResultsForTheHubOnlyWhereTheDataSetIsKnown) {
  const Json source{{"dataset", "allenai/ai2_arc"}, {"config", "ARC-Easy"}, {"split", "test"}, {"commit", "abc"}};
  const auto files = eval_results({{"external_evals", {benchmark(source), benchmark(nullptr)}}});
  ASSERT_EQ(files.size(), 1u);
  EXPECT_THAT(files.at("arc-easy.yaml"), AllOf(HasSubstr("id: \"allenai/ai2_arc\""), HasSubstr("revision: \"abc\""), HasSubstr("value: 25.00"), HasSubstr("570 rows of split test")));
  EXPECT_THAT(eval_results({{"external_evals", {benchmark(nullptr)}}}), IsEmpty());
  EXPECT_THAT(eval_results(nullptr), IsEmpty());
}

TEST(CardSections, SourcesAreNamedWithoutPathsOfThisMachine) {
  const Json summary{{"corpus", {{"num_documents", 2}, {"sources", {{{"label", "web (/home/me/web)"}, {"origin", "someone/texts"}, {"license", "odc-by"}, {"revision", "abc"}},
                                                                    {{"label", "notes"}, {"origin", "/home/me/notes"}, {"license", ""}, {"revision", ""}}}}}}};
  EXPECT_THAT(training_data_section(summary), AllOf(HasSubstr("| web | odc-by | someone/texts | abc |"), HasSubstr("| notes | not stated | a local folder | not stated |"), Not(HasSubstr("/home/me"))));
  EXPECT_THAT(hub_datasets(summary), ElementsAre("someone/texts"));
}

TEST(CardSections, WhatWasNotMeasuredIsSaid) {
  EXPECT_THAT(contamination_section(Json::object()), HasSubstr("Not measured."));
  EXPECT_THAT(benchmarks_section(Json::object()), HasSubstr("No published benchmark was scored."));
  EXPECT_THAT(generations_section({{"eval_generations", {{"rule", "by hash"}, {"good", Json::array()}, {"bad", {{{"category", "math"}, {"user", "1+1?"}, {"reply", "``` 3"}}}}}}}),
              AllOf(HasSubstr("### Passed\n\nNone."), HasSubstr("````text\n``` 3\n````")));
}

}  // namespace
}  // namespace picochat::exporter
