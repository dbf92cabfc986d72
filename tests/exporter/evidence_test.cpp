// The card's first line of a checkpoint that no gate judged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixture.hpp"
#include "picochat/base/error.hpp"

namespace picochat::exporter {
namespace {

using ::testing::HasSubstr;

TEST(Card, ACheckpointOutsideARunIsNotJudged) {
  ModelOnDisk model(config_of({}));
  export_hf(base::real_file_system(), model.options());
  const std::string card = model.folder.read("export/README.md");
  EXPECT_TRUE(card.starts_with("---\nlicense: mit\n"));
  EXPECT_THAT(card, HasSubstr("\n---\n**Release gate: NOT JUDGED**"));
  EXPECT_EQ(base::read_json(model.folder / "export/release_manifest.json").at("release_gate").at("status"), "not_judged");
}

// tests/acceptance/export_test.cpp has the cards of a real run.
TEST(Card, ARunThatWasNotJudgedSaysSo) {
  ModelOnDisk model(config_of({}));
  model.folder.write("run/run.json", "{}");
  model.folder.write("run/summary.md", "# a run");
  model.save(model.folder / "run/sft/checkpoint");
  auto options = model.options();
  options.checkpoint = (model.folder / "run/sft/checkpoint").string();
  export_hf(base::real_file_system(), options);
  EXPECT_THAT(model.folder.read("export/README.md"), HasSubstr("**Release gate: NOT JUDGED**. This is a research checkpoint, not a release: the run that made this checkpoint has not been judged."));
  EXPECT_EQ(model.folder.read("export/evidence/summary.md"), "# a run");
}

}  // namespace
}  // namespace picochat::exporter
