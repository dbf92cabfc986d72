// Licence and provenance: stated by the recipe, or by the report of the import whose files these are.
#include "picochat/corpus/source_record.hpp"

#include "corpus/corpus_test_util.hpp"
#include "picochat/base/digest.hpp"

namespace picochat::corpus {
namespace {

using base::Json;

std::vector<SourceRecord> records_of(const Path& recipe) {
  const Corpus corpus = open_recipe(recipe);
  return source_records(corpus, manifest_json(corpus.scan()));
}

const char* kRow = "{\"text\":\"A document.\"}\n";

Json report(const std::string& sha256) {
  return {{"dataset", "org/data"}, {"source", {{"kind", "hub"}, {"license", "odc-by"}, {"commit", "abc123"}}}, {"document_files", {{{"path", "documents/shard-000000.jsonl"}, {"sha256", sha256}}}}};
}

// The layout of the runbook: report beside documents/, recipe in a folder next to it.
class SourceRecords : public ::testing::Test {
 protected:
  Folder folder_;
  Path recipe_;
  void SetUp() override {
    folder_.write("web/documents/shard-000000.jsonl", kRow);
    recipe_ = folder_.write("pack/corpus_recipe.json", R"({"sources":[{"path":"../web/documents","label":"web"}]})");
  }
};

TEST_F(SourceRecords, AnImportSpeaksForItsDocuments) {
  folder_.write("web/hf_import_report.json", report(base::sha256(kRow).hex()).dump());
  for (const char* path : {"../web/documents", "../web/documents/", "../web/documents/shard-000000.jsonl"}) {
    recipe_ = folder_.write("pack/corpus_recipe.json", Json{{"sources", {{{"path", path}, {"label", "web"}}}}}.dump());
    const auto records = records_of(recipe_);
    ASSERT_EQ(records.size(), 1u);
    EXPECT_TRUE(records[0].license_known()) << path;
    EXPECT_TRUE(records[0].provenance_complete()) << path << records[0].problem;
    EXPECT_EQ(records[0].origin, "org/data");
    EXPECT_EQ(records[0].revision, "abc123");
    EXPECT_EQ(records[0].report, "../web/hf_import_report.json");
  }
}

TEST_F(SourceRecords, AFolderWithoutARecipeHasItsReportToo) {
  folder_.write("web/hf_import_report.json", report(base::sha256(kRow).hex()).dump());
  const Corpus corpus = open_input(folder_ / "web/documents");
  const auto records = source_records(corpus, manifest_json(corpus.scan()));
  ASSERT_EQ(records.size(), 1u);
  EXPECT_TRUE(records[0].license_known() && records[0].provenance_complete());
}

TEST_F(SourceRecords, ABareFileNameIsAPathToo) {
  folder_.write("web/hf_import_report.json", report(base::sha256(kRow).hex()).dump());
  const Path before = std::filesystem::current_path();
  std::filesystem::current_path(recipe_.parent_path().parent_path() / "web/documents");
  const Corpus corpus = Corpus::open({.input = "shard-000000.jsonl"});
  const auto records = source_records(corpus, manifest_json(corpus.scan()));
  std::filesystem::current_path(before);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].license, "odc-by");
}

TEST_F(SourceRecords, FilesThatWereChangedOrAddedAreNamed) {
  folder_.write("web/hf_import_report.json", report(base::sha256("something else").hex()).dump());
  EXPECT_NE(records_of(recipe_)[0].problem.find("shard-000000.jsonl was changed"), std::string::npos);
  EXPECT_FALSE(records_of(recipe_)[0].provenance_complete());
  folder_.write("web/hf_import_report.json", report(base::sha256(kRow).hex()).dump());
  folder_.write("web/documents/shard-000001.jsonl", kRow);
  EXPECT_NE(records_of(recipe_)[0].problem.find("shard-000001.jsonl is not in"), std::string::npos);
  folder_.write("web/hf_import_report.json", "{ half a rep");
  EXPECT_NE(records_of(recipe_)[0].problem.find("cannot be read"), std::string::npos);
}

TEST_F(SourceRecords, ALocalImportIsKnownByTheDigestsOfItsInputs) {
  Json local = report(base::sha256(kRow).hex());
  local["source"] = {{"kind", "local"}, {"license", nullptr}, {"commit", nullptr}, {"revision", nullptr}};
  folder_.write("web/hf_import_report.json", local.dump());
  EXPECT_FALSE(records_of(recipe_)[0].provenance_complete());
  local["files"] = {{{"path", "a.parquet"}, {"sha256", "00"}}};
  folder_.write("web/hf_import_report.json", local.dump());
  EXPECT_TRUE(records_of(recipe_)[0].provenance_complete());
  EXPECT_FALSE(records_of(recipe_)[0].license_known()) << "a licence is not guessed";
}

TEST_F(SourceRecords, ARecipeMayStateThem) {
  EXPECT_FALSE(records_of(recipe_)[0].license_known());
  EXPECT_FALSE(records_of(recipe_)[0].provenance_complete());
  recipe_ = folder_.write("pack/corpus_recipe.json", R"({"sources":[{"path":"../web/documents","license":"cc0-1.0","origin":"my notes","revision":"2024-05-01"}]})");
  EXPECT_TRUE(records_of(recipe_)[0].license_known());
  EXPECT_TRUE(records_of(recipe_)[0].provenance_complete());
  EXPECT_EQ(records_of(recipe_)[0].label, "corpus (../web/documents)");
  // A report about other files that lies nearby says nothing about these.
  Json other = report("");
  other["document_files"][0]["path"] = "elsewhere.jsonl";
  folder_.write("web/hf_import_report.json", other.dump());
  EXPECT_TRUE(records_of(recipe_)[0].provenance_complete());
}

}  // namespace
}  // namespace picochat::corpus
