#include "picochat/hub/card.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "picochat/base/error.hpp"

namespace picochat::hub {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Card, ReadsConfigsInTheirThreeSpellings) {
  const Card card = parse_card(R"(---
license: odc-by
configs:
- config_name: many
  default: true
  data_files:
  - split: train
    path: many/train-*
  - split: test
    path: [many/a.parquet, many/b.parquet]
- config_name: one
  data_files: one/*.jsonl
- config_name: mapped
  data_dir: deep
  data_files:
    train: x.csv
---
# Title
---
configs: not this
)", "README.md");
  EXPECT_EQ(card.license, "odc-by");
  ASSERT_EQ(card.configs.size(), 3u);
  EXPECT_TRUE(card.configs[0].is_default);
  ASSERT_EQ(card.configs[0].splits.size(), 2u);
  EXPECT_EQ(card.configs[0].splits[1].split, "test");
  EXPECT_THAT(card.configs[0].splits[1].patterns, ElementsAre("many/a.parquet", "many/b.parquet"));
  EXPECT_EQ(card.configs[1].splits[0].split, "train");
  EXPECT_EQ(card.configs[2].data_dir, "deep");
  EXPECT_THAT(card.configs[2].splits[0].patterns, ElementsAre("x.csv"));
}

TEST(Card, NoBlockOrNoConfigsIsAnEmptyCard) {
  for (const char* text : {"", "# Only a title\n", "---\n", "---\nlicense: mit\n", "text\n---\nconfigs: []\n---\n"}) {
    const Card card = parse_card(text, "README.md");
    EXPECT_THAT(card.configs, IsEmpty()) << text;
    EXPECT_EQ(card.license, "") << text;
  }
  EXPECT_EQ(parse_card("\xEF\xBB\xBF---\r\nlicense:\n- cc-by-sa-3.0\n- gfdl\n---\r\n", "README.md").license, "cc-by-sa-3.0, gfdl");
}

TEST(Card, FaultsNameTheLine) {
  auto message = [](const char* text) -> std::string {
    try {
      parse_card(text, "README.md");
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kBadInput);
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message("---\nconfigs:\n- config_name: a\n  data_files:\n  - path: x\n---\n"), HasSubstr("README.md:5"));
  EXPECT_THAT(message("---\nlicense: mit\nconfigs: [unclosed\n---\n"), HasSubstr("README.md:"));
  EXPECT_THAT(message("---\nconfigs: 3\n---\n"), HasSubstr("README.md:2"));
  EXPECT_THAT(message("---\nconfigs:\n- data_files:\n  - {split: train, path: a}\n  - {split: train, path: b}\n---\n"), HasSubstr("twice"));
  EXPECT_THAT(message(("---\na: " + std::string(100000, '[') + "\n---\n").c_str()), HasSubstr("README.md"));
}

}  // namespace
}  // namespace picochat::hub
