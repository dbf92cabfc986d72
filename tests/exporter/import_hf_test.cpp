#include "picochat/exporter/import_hf.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/ATen.h>

#include "fixture.hpp"
#include "picochat/base/error.hpp"
#include "picochat/eval/language_model.hpp"
#include "support/faulty_file_system.hpp"

namespace picochat::exporter {
namespace {

using ::testing::HasSubstr;

ImportHfOptions import_options(const ModelOnDisk& model, const std::string& from = "export") {
  return {.model = (model.folder / from).string(), .out_dir = (model.folder / "imported").string()};
}

gate::ModelConfig wide_config() {
  auto config = config_of({.parallel = false, .qk_norm = false});
  config.ffn_width = 100;
  return config;
}

class RoundTrip : public ::testing::TestWithParam<gate::ModelConfig> {};

TEST_P(RoundTrip, GivesTheVeryWeightsBack) {
  ModelOnDisk model(GetParam());
  auto options = model.options();
  options.max_shard_size = "60KB";
  export_hf(base::real_file_system(), options);
  import_hf(base::real_file_system(), import_options(model));
  const auto loaded = eval::load_language_model(model.folder / "imported/checkpoint", model.folder / "imported/tokenizer.json");
  EXPECT_TRUE(at::equal(loaded.parameters, model.parameters));
  auto expected = model.config;
  expected.initializer_range = loaded.config.initializer_range;
  EXPECT_EQ(loaded.config, expected);
}

INSTANTIATE_TEST_SUITE_P(Import, RoundTrip,
                         ::testing::Values(config_of({.parallel = false}), config_of({.parallel = false, .qk_norm = false, .tied = false}), config_of({.qk_norm = false}),
                                           config_of({.tied = false}), plain_config(), wide_config()),
                         [](const auto& info) { return "form_" + std::to_string(info.index); });

class Foreign : public ::testing::Test {
 protected:
  Foreign() : model(config_of({.parallel = false})) {
    export_hf(base::real_file_system(), model.options());
    config = base::read_json(model.folder / "export/config.json");
    std::filesystem::remove(model.folder / "export/release_manifest.json");  // others' folders have none
  }
  void expect_refused(const std::string& what) {
    model.folder.write("export/config.json", base::dump(config));
    try {
      import_hf(base::real_file_system(), import_options(model));
      ADD_FAILURE() << what;
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kBadInput);
      EXPECT_THAT(error.what(), HasSubstr(what));
    }
    EXPECT_FALSE(std::filesystem::exists(model.folder / "imported"));
  }
  ModelOnDisk model;
  base::Json config;
};

TEST_F(Foreign, AnUnknownArchitectureIsNamed) {
  config["model_type"] = "gpt_neox";
  expect_refused("gpt_neox");
}
TEST_F(Foreign, AWidthThatTheWeightsDoNotHaveIsNamed) {
  config["intermediate_size"] = 256;
  expect_refused("mlp.gate_proj.weight has another shape");
}
TEST_F(Foreign, ASlidingWindowIsNamed) {
  config["model_type"] = "mistral";
  config["sliding_window"] = 32;
  expect_refused("sliding_window");
}
TEST_F(Foreign, AHeadWidthThatIsNotOursIsNamed) {
  config["head_dim"] = 64;
  expect_refused("head_dim");
}
TEST_F(Foreign, ScaledPositionsAreNamed) {
  config["rope_parameters"] = {{"rope_type", "yarn"}, {"rope_theta", 10000.0}, {"factor", 4.0}};
  expect_refused("rope_parameters");
}
TEST_F(Foreign, BiasesAreNamed) {
  config["attention_bias"] = true;
  expect_refused("attention_bias");
}
TEST_F(Foreign, WeightsThatTheConfigDoesNotExplainAreNamed) {
  config["num_hidden_layers"] = 2;
  expect_refused("model.layers.2");
}
TEST_F(Foreign, AMissingTensorIsNamed) {
  config["num_hidden_layers"] = 4;
  expect_refused("model.layers.3");
}

// A folder of ours says what it was when it was exported.
TEST(OwnExport, AChangedFileIsNamed) {
  ModelOnDisk model(config_of({.parallel = false}));
  export_hf(base::real_file_system(), model.options());
  std::string weights = model.folder.read("export/model.safetensors");
  weights[weights.size() / 2] ^= 1;
  model.folder.write("export/model.safetensors", weights);
  model.folder.write("export/README.md", "a card of my own");
  try {
    import_hf(base::real_file_system(), import_options(model));
    FAIL() << "a changed weight went in";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kBadInput);
    EXPECT_NE(error.details().where.find("model.safetensors"), std::string::npos);
    EXPECT_NE(error.details().remedy.find("remove release_manifest.json"), std::string::npos);
  }
  std::filesystem::remove(model.folder / "export/release_manifest.json");
  EXPECT_NO_THROW(import_hf(base::real_file_system(), import_options(model)));
}

TEST_F(Foreign, AFullDiskLeavesNothing) {
  test::FaultyFileSystem counting;
  import_hf(counting, import_options(model));
  std::filesystem::remove_all(model.folder / "imported");
  for (int operation = 0; operation + 1 < counting.operations(); operation += 3) {
    test::FaultyFileSystem files(operation);
    EXPECT_THROW(import_hf(files, import_options(model)), base::Error);
    EXPECT_FALSE(std::filesystem::exists(model.folder / "imported")) << operation;
  }
}

}  // namespace
}  // namespace picochat::exporter
