// The container and the refusals; tools/oracle/gguf_check.py reads whole files with other programs.
#include "picochat/exporter/export_gguf.hpp"

#include <c10/util/Half.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "exporter/gguf_writer.hpp"
#include "fixture.hpp"
#include "picochat/base/error.hpp"
#include "support/faulty_file_system.hpp"

namespace picochat::exporter {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

ExportGgufOptions gguf_options(const ModelOnDisk& model, const std::string& dtype) {
  ExportGgufOptions o;
  o.checkpoint = (model.folder / "checkpoint").string();
  o.tokenizer = (model.folder / "tokenizer.json").string();
  o.out = (model.folder / (dtype + ".gguf")).string();
  o.dtype = dtype;
  return o;
}

template <typename T>
T number_at(const std::string& bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

TEST(Gguf, FilesAreAsLargeAsTheirTensors) {
  ModelOnDisk model(config_of({.parallel = false}));
  const auto count = static_cast<uint64_t>(model.config.parameter_count());
  for (const auto& [dtype, low, high] : {std::tuple{"f32", 4.0, 4.0}, {"bf16", 2.0, 2.1}, {"f16", 2.0, 2.1}}) {
    const auto out = export_gguf(base::real_file_system(), gguf_options(model, dtype));
    const std::string bytes = model.folder.read(std::string(dtype) + ".gguf");
    EXPECT_EQ(bytes.substr(0, 4), "GGUF");
    EXPECT_EQ(number_at<uint32_t>(bytes, 4), 3u);
    EXPECT_EQ(number_at<uint64_t>(bytes, 8), out.json.at("tensors").get<uint64_t>());
    const size_t metadata = 64 * 1024;
    EXPECT_GE(bytes.size(), static_cast<size_t>(low * static_cast<double>(count))) << dtype;
    EXPECT_LE(bytes.size(), static_cast<size_t>(high * static_cast<double>(count)) + metadata) << dtype;
    EXPECT_EQ(bytes.size() % kGgufAlignment, 0u);
  }
}

TEST(Gguf, Q80HoldsEveryValueToHalfAStep) {
  std::vector<float> values(64);
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i)) * (i < 32 ? 3.0f : 0.0f);
  const std::string bytes = quantize_q8_0(values.data(), 64);
  ASSERT_EQ(bytes.size(), 68u);
  for (size_t i = 0; i < 64; ++i) {
    const float scale = number_at<c10::Half>(bytes, i / 32 * 34);
    const float back = scale * static_cast<float>(static_cast<int8_t>(bytes[i / 32 * 34 + 2 + i % 32]));
    EXPECT_NEAR(back, values[i], 0.51 * 3.0 / 127) << i;
  }
}

TEST(Gguf, AModelWithoutAnArchitectureIsRefusedWithThePresetThatWouldDo) {
  for (const auto& config : {config_of({}), plain_config()}) {
    ModelOnDisk model(config);
    try {
      export_gguf(base::real_file_system(), gguf_options(model, "f16"));
      ADD_FAILURE();
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kBadInput);
      EXPECT_THAT(error.what(), AllOf(HasSubstr("llama.cpp has no architecture"), HasSubstr("h100-100m-stock")));
    }
    EXPECT_FALSE(std::filesystem::exists(model.folder / "f16.gguf"));
  }
}

TEST(Gguf, ATokenizerWithoutAPreTokenizerIsRefused) {
  ModelOnDisk model(config_of({.parallel = false}));
  auto tokenizer = tokenizer::train_tokenizer({.vocab_size = 300, .pretokenizer = "char"}, [n = 0](std::string& text) mutable {
    text = "the cat sat on the mat with the other cats, 12 of them";
    return n++ < 20;
  });
  model.tokenizer = std::move(tokenizer);
  model.config.vocab_size = static_cast<int64_t>(model.tokenizer->vocab_size());
  model.folder.write("tokenizer.json", model.tokenizer->to_json());
  model.parameters = model::allocate_flat(model::ParameterLayout(model.config).size());
  model.save(model.folder / "other");
  auto options = gguf_options(model, "f16");
  options.checkpoint = (model.folder / "other").string();
  try {
    export_gguf(base::real_file_system(), options);
    ADD_FAILURE();
  } catch (const base::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("pre-tokenizer"));
  }
}

TEST(Gguf, AnExistingFileIsLeftAloneAndAFullDiskLeavesNothing) {
  ModelOnDisk model(config_of({.parallel = false, .qk_norm = false}));
  const auto options = gguf_options(model, "f16");
  test::FaultyFileSystem counting;
  export_gguf(counting, options);
  EXPECT_THROW(export_gguf(base::real_file_system(), options), base::Error);
  std::filesystem::remove(options.out);
  for (int operation = 0; operation + 1 < counting.operations(); ++operation) {
    test::FaultyFileSystem files(operation);
    EXPECT_THROW(export_gguf(files, options), base::Error);
    for (const auto& entry : std::filesystem::directory_iterator(model.folder.path())) EXPECT_THAT(entry.path().string(), ::testing::Not(HasSubstr("gguf"))) << operation;
  }
}

}  // namespace
}  // namespace picochat::exporter
