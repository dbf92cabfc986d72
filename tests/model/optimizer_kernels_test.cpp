#include <gtest/gtest.h>

#include "model/support.hpp"
#include "picochat/model/optimizer_kernels.hpp"

namespace picochat::model {
namespace {

at::Tensor random_tensor(std::vector<int64_t> shape, uint64_t seed) {
  at::Tensor t = at::empty(shape);
  base::Random random(seed, "test tensor");
  for (int64_t i = 0; i < t.numel(); ++i) t.data_ptr<float>()[i] = static_cast<float>(random.normal());
  return t;
}

TEST(SquaredNorm, AddsInDouble) {
  at::Tensor t = random_tensor({20001}, 1);
  const double expected = t.to(at::kDouble).square().sum().item<double>();
  EXPECT_NEAR(squared_norm(t.data_ptr<float>(), t.numel()), expected, 1e-9 * expected);
  EXPECT_EQ(squared_norm(t.data_ptr<float>(), 0), 0);
  t[77] = NAN;
  EXPECT_TRUE(std::isnan(squared_norm(t.data_ptr<float>(), t.numel())));
}

TEST(AdamWStep, FollowsTheFormula) {
  constexpr int64_t kCount = 9001, kDecay = 8200;
  const AdamWStep base{
      .learning_rate = 3e-3, .beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-8, .weight_decay = 0.1, .gradient_scale = 0.5};
  at::Tensor p = random_tensor({kCount}, 1), m = at::zeros({kCount}), v = at::zeros({kCount});
  at::Tensor expected = p.to(at::kDouble), em = at::zeros({kCount}, at::kDouble), ev = at::zeros({kCount}, at::kDouble);
  for (int64_t step = 1; step <= 5; ++step) {
    at::Tensor g = random_tensor({kCount}, 10 + static_cast<uint64_t>(step)), exact = 0.5 * g.to(at::kDouble);
    AdamWStep options = base;
    options.step = step;
    adamw_step(options, kCount, kDecay, p.data_ptr<float>(), g.data_ptr<float>(), m.data_ptr<float>(),
               v.data_ptr<float>(), true);
    EXPECT_TRUE(g.eq(0).all().item<bool>());
    em = 0.9 * em + 0.1 * exact;
    ev = 0.95 * ev + 0.05 * exact.square();
    expected.narrow(0, 0, kDecay).mul_(1 - 3e-3 * 0.1);
    const double c1 = 1 - std::pow(0.9, step), c2 = 1 - std::pow(0.95, step);
    expected -= 3e-3 * (em / c1) / ((ev / c2).sqrt() + 1e-8);
  }
  EXPECT_LT((p.to(at::kDouble) - expected).abs().max().item<double>(), 2e-6);
  EXPECT_LT(relative_error(m, em), 1e-6);
  EXPECT_LT(relative_error(v, ev), 1e-6);
}

TEST(EmaUpdate, Averages) {
  at::Tensor values = random_tensor({5000}, 1), average = random_tensor({5000}, 2);
  const at::Tensor expected = 0.99 * average.to(at::kDouble) + 0.01 * values.to(at::kDouble);
  ema_update(0.99, 5000, values.data_ptr<float>(), average.data_ptr<float>());
  EXPECT_LT(relative_error(average, expected), 1e-6);
}

TEST(Muon, SingularValuesComeNearOne) {
  for (auto [rows, columns] : {std::pair<int64_t, int64_t>{48, 48}, {32, 96}, {96, 32}, {1, 7}, {33, 65}}) {
    at::Tensor matrix = random_tensor({rows, columns}, 3), before = matrix.clone();
    muon_orthogonalize(matrix.data_ptr<float>(), rows, columns);
    // The same iteration in float64 on the formula's own terms.
    at::Tensor x = before.to(at::kDouble) / (before.to(at::kDouble).norm() + 1e-7);
    for (int i = 0; i < 5; ++i) {
      const at::Tensor a = at::mm(x, x.t()), b = -4.7750 * a + 2.0315 * at::mm(a, a);
      x = 3.4445 * x + at::mm(b, x);
    }
    EXPECT_LT(relative_error(matrix, x), 2e-4) << rows << " x " << columns;
    if (rows != columns) {  // a square random matrix has singular values too small for five steps
      const at::Tensor gram = rows < columns ? at::mm(matrix, matrix.t()) : at::mm(matrix.t(), matrix);
      EXPECT_LT((gram.diag() - 1).abs().max().item<double>(), 0.6) << rows << " x " << columns;
    }
  }
  at::Tensor zero = at::zeros({8, 8});
  muon_orthogonalize(zero.data_ptr<float>(), 8, 8);
  EXPECT_TRUE(zero.eq(0).all().item<bool>());
}

}  // namespace
}  // namespace picochat::model
