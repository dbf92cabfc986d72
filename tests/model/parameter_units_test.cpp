// Weights that come unit by unit: every value in one place, and the numbers of a model that has them all.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "model/support.hpp"
#include "picochat/model/parameter_units.hpp"

namespace picochat::model {
namespace {

// Holds the whole, but gives and takes it in units.
class WholeAsUnits final : public ParameterSource {
 public:
  WholeAsUnits(const std::vector<ParameterUnit>& units, const at::Tensor& parameters, const at::Tensor& gradients) : units_(units), parameters_(parameters), gradients_(gradients) {
    int64_t largest = 0;
    for (size_t u = 1; u < units.size(); ++u) largest = std::max(largest, units[u].size);
    buffers_ = {allocate_flat(units[0].size), allocate_flat(largest), allocate_flat(units[0].size), allocate_flat(largest)};
  }
  UnitBuffers buffers() override { return buffers_; }
  void gather(int64_t unit) override {
    gathered.push_back(unit);
    units_[static_cast<size_t>(unit)].copy_from(parameters_, unit == 0 ? buffers_.outer : buffers_.block);
  }
  void reduce(int64_t unit) override {
    const at::Tensor& values = unit == 0 ? buffers_.outer_gradients : buffers_.block_gradients;
    const at::Tensor whole = allocate_flat(gradients_.numel());
    units_[static_cast<size_t>(unit)].copy_to(values, whole);
    gradients_.add_(whole);
    values.zero_();
  }
  std::vector<int64_t> gathered;

 private:
  const std::vector<ParameterUnit>& units_;
  at::Tensor parameters_, gradients_;
  UnitBuffers buffers_;
};

TEST(ParameterUnits, HoldEveryValueOnce) {
  for (const auto& [name, config] : interesting_configs()) {
    SCOPED_TRACE(name);
    const ParameterLayout layout(config);
    const auto units = parameter_units(layout);
    ASSERT_EQ(static_cast<int64_t>(units.size()), config.n_layer + 1);
    std::vector<int> seen(static_cast<size_t>(layout.size()));
    int64_t decayed = 0;
    for (const auto& unit : units) {
      decayed += unit.decay_size;
      for (const auto& range : unit.ranges)
        for (int64_t i = 0; i < range.count; ++i) {
          ++seen[static_cast<size_t>(range.whole + i)];
          EXPECT_EQ(range.unit + i < unit.decay_size, range.whole + i < layout.decay_size());
        }
    }
    EXPECT_EQ(decayed, layout.decay_size());
    EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](int n) { return n == 1; }));
  }
}

TEST(ParameterUnits, LossGradientsAndScoresAreThoseOfTheFlatBuffer) {
  for (const auto& [name, config] : interesting_configs())
    for (const bool recompute : {false, true}) {
      SCOPED_TRACE(name);
      const OwnedBatch owned = random_batch(config, 2, 23, 5);
      const ParameterLayout layout(config);
      const auto units = parameter_units(layout);
      const at::Tensor parameters = test_parameters(config), expected = allocate_flat(layout.size()), gradients = allocate_flat(layout.size());
      const TransformerOptions options{.recompute = recompute};
      Transformer flat(config, owned.rows, owned.length, true, options), by_unit(config, owned.rows, owned.length, true, options);
      const double loss = flat.forward_backward(owned.batch(), parameters, expected);
      WholeAsUnits source(units, parameters, gradients);
      by_unit.accumulate(owned.batch(), source, {});
      EXPECT_EQ(by_unit.take_loss(), loss);
      EXPECT_TRUE(at::equal(gradients, expected));
      // The last block is still there when its backward pass begins.
      EXPECT_EQ(static_cast<int64_t>(source.gathered.size()), 2 * config.n_layer);
      std::vector<float> nll(owned.tokens.size()), expected_nll(owned.tokens.size());
      flat.score(owned.batch(), parameters, expected_nll.data());
      by_unit.score(owned.batch(), source, nll.data());
      EXPECT_EQ(std::memcmp(nll.data(), expected_nll.data(), nll.size() * sizeof(float)), 0);
    }
}

}  // namespace
}  // namespace picochat::model
