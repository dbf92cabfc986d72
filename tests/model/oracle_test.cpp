// The model against PyTorch: loss, logits and every gradient of one batch in float32, from fixtures
// that tools/oracle/model_fixture.py wrote with its own PyTorch model.
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <sstream>

#include "model/support.hpp"
#include "picochat/base/json.hpp"
#include "support/project.hpp"

namespace picochat::model {
namespace {

class Fixture {
 public:
  explicit Fixture(const std::string& name) {
    const std::string path = std::string(kSourceDir) + "/tests/model/fixtures/" + name + ".fixture";
    std::ifstream file(path, std::ios::binary);
    std::stringstream content;
    content << file.rdbuf();
    text_ = content.str();
    const size_t line = text_.find('\n');
    header_ = base::parse_json(text_.substr(0, line), path);
    blob_ = text_.data() + line + 1;
  }

  const base::Json& header() const { return header_; }

  at::Tensor tensor(const std::string& name) const {
    for (const auto& entry : header_.at("tensors")) {
      if (entry.at("name") != name) continue;
      at::Tensor result = at::empty(entry.at("shape").get<std::vector<int64_t>>(),
                                    entry.at("dtype") == "int32" ? at::kInt : at::kFloat);
      std::memcpy(result.data_ptr(), blob_ + entry.at("offset").get<int64_t>(), result.nbytes());
      return result;
    }
    ADD_FAILURE() << "the fixture has no " << name;
    return {};
  }

 private:
  std::string text_;
  base::Json header_;
  const char* blob_ = nullptr;
};

class PyTorch : public testing::TestWithParam<const char*> {};

TEST_P(PyTorch, LossLogitsAndEveryGradientAgree) {
  constexpr double kTolerance = 1e-5;
  const Fixture fixture(GetParam());
  const Config config = gate::model_config_from_json(fixture.header().at("config"), GetParam());
  const ParameterLayout layout(config);
  at::Tensor parameters = allocate_flat(layout.size()), gradients = allocate_flat(layout.size());
  for (const auto& entry : layout.entries())
    layout.view(parameters, entry).copy_(fixture.tensor("weight." + entry.name));

  const at::Tensor tokens = fixture.tensor("tokens"), targets = fixture.tensor("targets");
  Batch batch;
  batch.rows = fixture.header().at("rows");
  batch.length = fixture.header().at("length");
  batch.tokens = tokens.data_ptr<int32_t>();
  batch.targets = targets.data_ptr<int32_t>();
  batch.uniform_weight = 1.0f / static_cast<float>(batch.rows * batch.length);
  Transformer transformer(config, batch.rows, batch.length, true);

  const double loss = transformer.forward_backward(batch, parameters, gradients),
               expected = fixture.header().at("loss");
  EXPECT_LT(std::abs(loss - expected) / expected, kTolerance);
  at::Tensor logits = at::empty(fixture.tensor("logits").sizes());
  transformer.logits(batch, parameters, logits.data_ptr<float>());
  EXPECT_LT(relative_error(logits, fixture.tensor("logits")), kTolerance);

  double worst = 0, worst_pytorch = 0;
  std::string worst_name;
  for (const auto& entry : layout.entries()) {
    const at::Tensor ours = layout.view(gradients, entry);
    const double error = relative_error(ours, fixture.tensor("gradient." + entry.name));
    EXPECT_LT(error, kTolerance) << entry.name;
    worst_pytorch = std::max(worst_pytorch, fixture.header().at("float64_error").at(entry.name).get<double>());
    if (error > worst) worst = error, worst_name = entry.name;
  }
  std::printf(
      "[ figures  ] %s: loss %.1e, logits %.1e, worst gradient %.1e (%s); PyTorch float32 against its float64 %.1e\n",
      GetParam(), std::abs(loss - expected) / expected, relative_error(logits, fixture.tensor("logits")), worst,
      worst_name.c_str(), worst_pytorch);
}

INSTANTIATE_TEST_SUITE_P(Oracle, PyTorch, testing::Values("parallel", "sequential"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace picochat::model
