// What the documents claim about the program, held against the program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "acceptance/documents.hpp"
#include "picochat/evidence/required.hpp"
#include "picochat/gate/budget.hpp"
#include "picochat/gate/presets.hpp"

namespace picochat::acceptance {
namespace {

namespace fs = std::filesystem;
using base::cat;
using ::testing::HasSubstr;

std::string document(const std::string& name) { return read_all(fs::path(kSourceDir) / "docs" / name); }

// The cells of the rows of a Markdown table that stands below a heading, without its two head lines.
std::vector<std::vector<std::string>> table_below(const std::string& text, const std::string& heading) {
  std::vector<std::vector<std::string>> rows;
  bool here = false;
  for (const auto& line : base::split(text, '\n')) {
    if (line.starts_with("#")) here = line == heading;
    if (!here || !line.starts_with("| ")) continue;
    std::vector<std::string> cells;
    for (const auto& cell : base::split(line.substr(1, line.size() - 2), '|')) cells.emplace_back(base::trim(cell));
    rows.push_back(cells);
  }
  if (rows.size() < 2) return {};
  return {rows.begin() + 2, rows.end()};
}

std::vector<std::string> quoted_in(const std::string& text) {
  static const std::regex quoted("`([^`]+)`");
  std::vector<std::string> all;
  for (std::sregex_iterator at(text.begin(), text.end(), quoted), end; at != end; ++at) all.push_back((*at)[1]);
  return all;
}

const std::string& sources() {
  static const std::string text = [] {
    std::string all;
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(kSourceDir) / "src"))
      if (entry.path().extension() == ".cpp" || entry.path().extension() == ".hpp") all += read_all(entry.path());
    return all;
  }();
  return text;
}

gate::RunOptions planned_by(const std::string& preset) {
  return gate::resolve_run_options({{"out_dir", "out"}, {"scale", preset}}).options;
}

TEST(ModelEvidence, ListsTheArtifactsThatTheProgramRequires) {
  const TemporaryFolder folder;
  folder.write("summary.json", "{}");
  const auto files = evidence::open_run_files(folder.path());
  const auto required = evidence::required_artifacts(*files, evidence::try_replay(*files));
  const auto rows = table_below(document("model_evidence.md"), "## Required release bundle");
  ASSERT_EQ(rows.size(), required.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].at(0), cat("`", required[i].name, "`"));
    EXPECT_EQ(rows[i].at(1), required[i].purpose) << required[i].name;
  }
}

TEST(ModelEvidence, LanesArePresetsWithTheirFigures) {
  const auto rows = table_below(document("model_evidence.md"), "## Lanes");
  ASSERT_EQ(rows.size(), 3u);
  for (const auto& row : rows) {
    const auto budget = gate::compute_budget(planned_by(quoted_in(row.at(0)).at(0)), {});
    EXPECT_EQ(row.at(1), base::grouped(budget.estimated_parameters)) << row.at(0);
    EXPECT_EQ(row.at(2), base::grouped(budget.base_planned_tokens)) << row.at(0);
  }
}

TEST(ModelEvidence, NamesOnlyChecksPresetsAndPagesThatThereAre) {
  const std::string text = document("model_evidence.md");
  for (const auto& row : table_below(text, "## Status"))
    for (const auto& name : quoted_in(row.at(0))) EXPECT_NO_THROW(gate::find_preset(name));
  const auto gates = text.substr(text.find("## Readiness gates"));
  for (const auto& name : quoted_in(gates)) {
    const bool word = name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos;
    EXPECT_TRUE(!word || sources().find(cat("\"", name, "\"")) != std::string::npos) << name;
  }
}

TEST(PresetsPage, HasTheFiguresOfEveryPreset) {
  std::vector<std::string> names;
  for (const auto& row : table_below(document("presets.md"), "# Presets")) {
    names.push_back(row.at(0));
    const auto budget = gate::compute_budget(planned_by(row.at(0)), {});
    EXPECT_EQ(row.at(1), base::grouped(budget.estimated_parameters)) << row.at(0);
    EXPECT_EQ(row.at(4), base::grouped(budget.base_planned_tokens)) << row.at(0);
  }
  EXPECT_EQ(names.size(), gate::load_presets().size());
}

TEST(Troubleshooting, HasASectionForEachExitCode) {
  const std::string text = document("troubleshooting.md");
  const std::string list = read_all(fs::path(kSourceDir) / "include/picochat/base/error.hpp");
  const std::regex code(R"(k\w+ = (\d),)");
  int codes = 0;
  for (std::sregex_iterator at(list.begin(), list.end(), code), end; at != end; ++at, ++codes) EXPECT_THAT(text, HasSubstr(cat("\n## ", (*at)[1].str(), ": ")));
  EXPECT_EQ(codes, 6);
  EXPECT_THAT(text, HasSubstr("\n## 130, 143: "));
}

// Between the places where a value stands, each message is in the sources letter for letter.
TEST(Troubleshooting, QuotesMessagesThatTheProgramHas) {
  int messages = 0;
  for (const auto& line : base::split(document("troubleshooting.md"), '\n')) {
    if (!line.starts_with("| `")) continue;
    for (const auto& message : quoted_in(line.substr(0, line.find(" | ")))) {
      ++messages;
      for (const auto& part : base::split(base::replace_all(message, "…", "\n"), '\n'))
        EXPECT_NE(sources().find(base::replace_all(std::string(base::trim(part)), "\"", "\\\"")), std::string::npos) << "no source has: " << part;
    }
  }
  EXPECT_GT(messages, 50);
}

// A message that several places of the program give is one that many will meet.
TEST(Troubleshooting, HasTheMessagesThatAreGivenMostOften) {
  std::map<std::string, int> count;
  const std::regex literal(R"re(\.what = "([a-z][^"]{7,})")re");
  for (std::sregex_iterator at(sources().begin(), sources().end(), literal), end; at != end; ++at) ++count[(*at)[1]];
  for (const auto& [message, times] : count)
    EXPECT_TRUE(times < 2 || document("troubleshooting.md").find(base::trim(message)) != std::string::npos) << times << " times: " << message;
}

// [name](page.md#place): the page is there.
TEST(DocumentLinks, LeadToPagesThatExist) {
  const std::regex link(R"(\]\(([^)#:]+)(#[^)]*)?\))");
  for (const auto& path : documents()) {
    const std::string text = read_all(path);
    for (std::sregex_iterator at(text.begin(), text.end(), link), end; at != end; ++at)
      EXPECT_TRUE(fs::exists(path.parent_path() / (*at)[1].str())) << path.filename() << " links to " << (*at)[1].str();
  }
}

}  // namespace
}  // namespace picochat::acceptance
