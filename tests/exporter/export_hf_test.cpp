#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "exporter/compare.hpp"
#include "exporter/weights_writer.hpp"
#include "fixture.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "support/faulty_file_system.hpp"

namespace picochat::exporter {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

base::CommandOutput export_real(const ExportHfOptions& options) { return export_hf(base::real_file_system(), options); }

base::Error error_of(const ExportHfOptions& options) {
  try {
    export_real(options);
  } catch (const base::Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was refused";
  return base::internal_error("none");
}

std::vector<std::string> names_in(const base::Path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

struct Form {
  gate::ModelConfig config;
  std::string class_name;
};

class EveryForm : public ::testing::TestWithParam<Form> {};

TEST_P(EveryForm, ReadsBackAsTheSameModel) {
  ModelOnDisk model(GetParam().config);
  for (const char* dtype : {"float32", "bfloat16"}) {
    auto options = model.options(dtype);
    options.dtype = dtype;
    const auto out = export_real(options);
    const auto& manifest = out.json.at("manifest");
    EXPECT_EQ(manifest.at("architecture").at("class"), GetParam().class_name);
    EXPECT_EQ(manifest.at("architecture").at("remote_code"), GetParam().class_name == "PicochatForCausalLM");
    EXPECT_EQ(manifest.at("verification").at("read_back").at("blocks"), 3);
    EXPECT_TRUE(manifest.at("verification").at("read_back").at("whole_model").get<bool>());
    EXPECT_EQ(std::filesystem::exists(model.folder / dtype / "modeling_picochat.py"), GetParam().class_name == "PicochatForCausalLM");
    int64_t stored = 0;
    const base::SafetensorsFile file(model.folder / dtype / "model.safetensors");
    for (const auto& tensor : file.tensors()) {
      EXPECT_EQ(tensor.dtype, dtype == std::string("float32") ? "F32" : "BF16");
      int64_t count = 1;
      for (int64_t extent : tensor.shape) count *= extent;
      stored += count;
    }
    EXPECT_EQ(stored, model.config.parameter_count());  // a tied head once
  }
}

INSTANTIATE_TEST_SUITE_P(
    Export, EveryForm,
    ::testing::Values(Form{config_of({.parallel = false, .tied = true}), "Qwen3ForCausalLM"}, Form{config_of({.parallel = false, .tied = false, .n_kv_head = 4}), "Qwen3ForCausalLM"},
                      Form{config_of({.parallel = false, .qk_norm = false, .n_kv_head = 1}), "LlamaForCausalLM"},
                      Form{config_of({.qk_norm = false, .n_head = 6}), "Cohere2MoeForCausalLM"}, Form{config_of({.qk_norm = false, .tied = false}), "Cohere2MoeForCausalLM"},
                      Form{config_of({.n_head = 6}), "PicochatForCausalLM"}, Form{config_of({.tied = false, .n_kv_head = 4}), "PicochatForCausalLM"},
                      Form{plain_config(), "PicochatForCausalLM"}),
    [](const auto& info) { return base::cat("form_", info.index); });

// The comparison must be able to fail: one value of one tensor, then one key of the config.
TEST(Compare, NoticesAChangedWeightAndAChangedConfig) {
  ModelOnDisk model(config_of({.parallel = false}));
  export_real(model.options());
  const CheckpointSource source(model.folder / "checkpoint");
  const base::Path weights = model.folder / "export/model.safetensors";
  std::string bytes = model.folder.read("export/model.safetensors");
  const auto intact = compare_with_checkpoint(ExportedModel(model.folder / "export"), source, at::kFloat);
  EXPECT_LT(intact.largest_difference, 1e-5);

  const base::SafetensorsFile file(weights);
  const auto& tensor = file.tensor("model.layers.2.self_attn.k_proj.weight");
  const size_t data_begin = bytes.size() - [&] {
    size_t size = 0;
    for (const auto& t : file.tensors()) size += t.bytes.size();
    return size;
  }();
  size_t offset = 0;
  for (const auto& t : file.tensors()) {
    if (t.name == tensor.name) break;
    offset += t.bytes.size();
  }
  std::string changed = bytes;
  for (size_t i = 0; i < 400; ++i) std::swap(changed[data_begin + offset + i], changed[data_begin + offset + 4000 + i]);
  model.folder.write("export/model.safetensors", changed);
  EXPECT_THROW(compare_with_checkpoint(ExportedModel(model.folder / "export"), source, at::kFloat), base::Error);

  model.folder.write("export/model.safetensors", bytes);
  auto config = base::read_json(model.folder / "export/config.json");
  config["rope_parameters"]["rope_theta"] = 10000.0;
  model.folder.write("export/config.json", base::dump(config));
  EXPECT_THROW(compare_with_checkpoint(ExportedModel(model.folder / "export"), source, at::kFloat), base::Error);
}

TEST(Shards, HoldEveryTensorOnceAndStayBelowTheLimit) {
  ModelOnDisk model(config_of({}));
  auto options = model.options();
  options.max_shard_size = "40KB";
  export_real(options);
  const auto index = base::read_json(model.folder / "export/model.safetensors.index.json");
  std::set<std::string> files;
  std::map<std::string, std::string> seen;
  uint64_t total = 0;
  for (const auto& [tensor, file] : index.at("weight_map").items()) files.insert(file.get<std::string>());
  EXPECT_GT(files.size(), 3u);
  for (const auto& name : files) {
    const base::SafetensorsFile file(model.folder / "export" / name);
    uint64_t size = 0;
    for (const auto& tensor : file.tensors()) {
      EXPECT_TRUE(seen.emplace(tensor.name, name).second) << tensor.name;
      EXPECT_EQ(index.at("weight_map").at(tensor.name), name);
      size += tensor.bytes.size();
    }
    EXPECT_TRUE(size <= 40'000 || file.tensors().size() == 1) << name;
    total += size;
  }
  EXPECT_EQ(index.at("metadata").at("total_size"), total);
  EXPECT_EQ(seen.size(), index.at("weight_map").size());
  EXPECT_EQ(total, static_cast<uint64_t>(model.config.parameter_count()) * 4);
  EXPECT_FALSE(std::filesystem::exists(model.folder / "export/model.safetensors"));
}

TEST(Sizes, AreParsed) {
  EXPECT_EQ(parse_size("5GB", ""), 5'000'000'000u);
  EXPECT_EQ(parse_size("1.5 MiB", ""), 1'572'864u);
  EXPECT_EQ(parse_size("1000", ""), 1000u);
  for (const char* bad : {"", "GB", "-1GB", "5 parsecs", "0", "1e400GB"}) EXPECT_THROW(parse_size(bad, ""), base::Error) << bad;
}

TEST(Files, TheTokenizerIsCopiedByteForByteAndTheManifestListsEveryFile) {
  ModelOnDisk model(config_of({}));
  export_real(model.options());
  EXPECT_EQ(model.folder.read("export/tokenizer.json"), model.folder.read("tokenizer.json"));
  const auto manifest = base::read_json(model.folder / "export/release_manifest.json");
  std::set<std::string> listed;
  for (const auto& [name, entry] : manifest.at("files").items()) {
    listed.insert(name);
    EXPECT_EQ(entry.at("sha256"), base::sha256_file(model.folder / "export" / name).hex());
  }
  for (const auto& path : base::list_files(model.folder / "export"))
    EXPECT_TRUE(path == "release_manifest.json" || listed.contains(path.generic_string())) << path;
  EXPECT_THAT(model.folder.read("export/release_manifest.json"), Not(HasSubstr(model.folder.path().string())));
}

TEST(Refusals, NameWhatIsWrongAndLeaveNothing) {
  ModelOnDisk model(config_of({}));
  auto options = model.options();
  const auto before = names_in(model.folder.path());

  options.license.reset();
  EXPECT_EQ(error_of(options).code(), base::ExitCode::kUsage);
  options.license = "unknown";
  EXPECT_THAT(error_of(options).what(), HasSubstr("--license"));
  options = model.options();
  options.max_shard_size = "many";
  EXPECT_THAT(error_of(options).what(), HasSubstr("--max-shard-size"));
  options = model.options();
  options.checkpoint = (model.folder / "nowhere").string();
  EXPECT_THAT(error_of(options).what(), HasSubstr("there is no checkpoint here"));

  ModelOnDisk other(config_of({}));
  const auto foreign = tokenizer::train_tokenizer({.vocab_size = model.config.vocab_size}, [n = 0](std::string& text) mutable {
    text = "quite another text, which gives quite other merges; zyx zyx zyx wvu wvu and many more pieces of words to merge";
    return n++ < 20;
  });
  ASSERT_EQ(foreign->vocab_size(), model.tokenizer->vocab_size());
  other.folder.write("tokenizer.json", foreign->to_json());
  options = model.options();
  options.tokenizer = (other.folder / "tokenizer.json").string();
  EXPECT_THAT(error_of(options).what(), AllOf(HasSubstr("not the one that this model was trained with"), HasSubstr("tokenizer.json")));

  EXPECT_EQ(names_in(model.folder.path()), before);
}

TEST(Refusals, ADamagedCheckpointIsNamed) {
  ModelOnDisk model(config_of({}));
  std::string bytes = model.folder.read("checkpoint/model.safetensors");
  bytes[bytes.size() / 2] ^= 1;
  model.folder.write("checkpoint/model.safetensors", bytes);
  const auto error = error_of(model.options());
  EXPECT_EQ(error.code(), base::ExitCode::kBadInput);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("altered"), HasSubstr("model.safetensors")));
  EXPECT_FALSE(std::filesystem::exists(model.folder / "export"));
}

TEST(Refusals, ADivergedModelIsNamed) {
  ModelOnDisk model(config_of({}));
  const model::ParameterLayout layout(model.config);
  model.parameters.data_ptr<float>()[layout.at("ln_f.weight").offset] = std::nanf("");
  model.save(model.folder / "diverged");
  auto options = model.options();
  options.checkpoint = (model.folder / "diverged").string();
  const auto error = error_of(options);
  EXPECT_EQ(error.code(), base::ExitCode::kBadInput);
  EXPECT_THAT(error.what(), HasSubstr("not finite"));
}

TEST(Refusals, Float16ThatOverflowsIsNamed) {
  ModelOnDisk model(config_of({}));
  model.parameters.data_ptr<float>()[5] = 1e6f;
  model.save(model.folder / "wide");
  auto options = model.options();
  options.checkpoint = (model.folder / "wide").string();
  options.dtype = "float16";
  EXPECT_THAT(error_of(options).what(), HasSubstr("token_embedding.weight"));
  EXPECT_FALSE(std::filesystem::exists(model.folder / "export"));
}

TEST(OutputFolder, OthersFilesAreLeftAlone) {
  ModelOnDisk model(config_of({}));
  model.folder.write("export/holiday.jpg", "not an export");
  const auto error = error_of(model.options());
  EXPECT_EQ(error.code(), base::ExitCode::kBadInput);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("not empty"), HasSubstr("holiday.jpg")));
  EXPECT_EQ(model.folder.read("export/holiday.jpg"), "not an export");
}

// The documented runbook exports twice into one folder.
TEST(OutputFolder, AnEarlierExportIsReplacedUnlessSomethingWasAddedOrChanged) {
  ModelOnDisk model(config_of({}));
  std::filesystem::create_directories(model.folder / "export");  // empty: fine
  export_real(model.options());
  auto options = model.options();
  options.eval_summary = "See attached release evidence.";
  export_real(options);
  EXPECT_THAT(model.folder.read("export/README.md"), HasSubstr("See attached release evidence."));

  model.folder.write("export/notes.txt", "mine");
  EXPECT_THAT(error_of(options).what(), HasSubstr("notes.txt, which is not part of the export"));
  std::filesystem::remove(model.folder / "export/notes.txt");
  model.folder.write("export/README.md", "my own card");
  EXPECT_THAT(error_of(options).what(), HasSubstr("README.md, changed since the export"));
  EXPECT_EQ(model.folder.read("export/README.md"), "my own card");
}

// Every operation of writing fails once, as a full disk does.
TEST(FullDisk, LeavesNeitherHalfAnExportNorLeftovers) {
  ModelOnDisk model(config_of({}));
  test::FaultyFileSystem counting;
  export_hf(counting, model.options());
  std::filesystem::remove_all(model.folder / "export");
  const auto before = names_in(model.folder.path());
  int published = 0;
  for (int operation = 0; operation < counting.operations(); operation += operation < 12 ? 1 : 7) {
    test::FaultyFileSystem files(operation);
    try {
      export_hf(files, model.options());
      ADD_FAILURE() << "operation " << operation << " failed and nobody noticed";
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kEnvironment);
    }
    if (std::filesystem::exists(model.folder / "export")) {  // only the sync of the parent folder comes after
      ++published;
      EXPECT_TRUE(std::filesystem::exists(model.folder / "export/release_manifest.json"));
      std::filesystem::remove_all(model.folder / "export");
    }
    EXPECT_EQ(names_in(model.folder.path()), before) << "operation " << operation;
  }
  EXPECT_LE(published, 1);
}

TEST(Options, WordsOfOtherProgramsAreRefusedWithAPointer) {
  const auto& table = export_hf_options();
  for (const auto& [key, value, pointer] : {std::tuple{"dynamic_int8", true, "q8_0"}, {"safetensors", false, "safetensors only"}, {"fine_tuned", true, "stage"}}) {
    ExportHfOptions options;
    try {
      table.merge(options, base::Json{{key, value}}, "test");
      ADD_FAILURE() << key;
    } catch (const base::Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(pointer));
    }
  }
}

}  // namespace
}  // namespace picochat::exporter
