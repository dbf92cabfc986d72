// The matrix product of the linear layers against sums in float64, over shapes that leave parts of tiles, panels and
// blocks, and what training relies on: an element does not depend on threads or on what stands beside it.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "model/kernels/table.hpp"
#include "picochat/base/random.hpp"
#include "picochat/model/determinism.hpp"

namespace picochat::model::kernels {
namespace {

template <typename T>
struct Stored {  // with a row stride larger than a row, and a guard value between rows
  static constexpr T kGuard = T(77);
  int64_t rows, columns, ld = columns + 3;
  std::vector<T> values = std::vector<T>(static_cast<size_t>(rows * ld), kGuard);

  Stored(int64_t rows, int64_t columns, uint64_t seed) : rows(rows), columns(columns) {
    base::Random random(seed, "matrix");
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t i = 0; i < columns; ++i) at(r, i) = static_cast<T>(random.normal());
  }
  T& at(int64_t r, int64_t i) { return values[static_cast<size_t>(r * ld + i)]; }
  Matrix<T> view() { return {values.data(), rows, columns, ld}; }
  bool guards_stand() {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t i = columns; i < ld; ++i)
        if (at(r, i) != kGuard) return false;
    return true;
  }
};

template <typename T>
void multiply(bool ta, Stored<T>& a, bool tb, Stored<T>& b, bool accumulate, Matrix<T> c) {
  std::vector<T> scratch(kProductScratch);
  table<T>().product(ta, a.view(), tb, b.view(), accumulate, c, scratch.data());
}

template <typename T>
void expect_product(int64_t m, int64_t n, int64_t k, T tolerance) {
  for (bool ta : {false, true})
    for (bool tb : {false, true})
      for (bool accumulate : {false, true}) {
        SCOPED_TRACE(testing::Message() << m << " x " << n << " x " << k << " ta " << ta << " tb " << tb << " add " << accumulate);
        Stored<T> a(ta ? k : m, ta ? m : k, 1), b(tb ? n : k, tb ? k : n, 2), c(m, n, 3), before = c;
        multiply(ta, a, tb, b, accumulate, c.view());
        double worst = 0;
        for (int64_t r = 0; r < m; ++r)
          for (int64_t i = 0; i < n; ++i) {
            double sum = accumulate ? before.at(r, i) : 0;
            for (int64_t s = 0; s < k; ++s) sum += double{ta ? a.at(s, r) : a.at(r, s)} * double{tb ? b.at(i, s) : b.at(s, i)};
            worst = std::max(worst, std::abs(sum - c.at(r, i)));
          }
        EXPECT_LT(worst, tolerance * std::sqrt(static_cast<double>(k)));
        EXPECT_TRUE(c.guards_stand());
      }
}

struct Shape {
  int64_t m, n, k;
};
// One element; less and more than a tile, a panel, a task; more than one block of steps, columns and rows.
constexpr Shape kShapes[] = {{1, 1, 1}, {7, 47, 3}, {8, 48, 16}, {9, 49, 17}, {65, 97, 255}, {64, 128, 256}, {3, 400, 257}, {70, 385, 600}, {1537, 50, 40}, {1, 1000, 31}};

TEST(Product, EqualsSumsInFloat64) {
  for (const Shape& s : kShapes) {
    expect_product<float>(s.m, s.n, s.k, 5e-6F);
    expect_product<double>(s.m, s.n, s.k, 1e-14);
  }
}

TEST(Product, AnElementDoesNotDependOnThreadsNorOnRowsAndColumnsBesideIt) {
  constexpr int64_t kRows = 133, kColumns = 421, kSteps = 530;
  const int threads = compute_threads();
  for (bool ta : {false, true}) {
    Stored<float> a(ta ? kSteps : kRows, ta ? kRows : kSteps, 1), b(kColumns, kSteps, 2), all(kRows, kColumns, 3), again = all;
    set_compute_threads(1);
    multiply(ta, a, true, b, false, all.view());
    set_compute_threads(4);
    multiply(ta, a, true, b, false, again.view());
    EXPECT_EQ(all.values, again.values);
    for (auto [row, column] : {std::pair<int64_t, int64_t>{0, 0}, {132, 420}, {64, 47}, {5, 400}}) {
      Stored<float> line(ta ? kSteps : 1, ta ? 1 : kSteps, 4), other(1, kSteps, 5), one(1, 1, 6);
      for (int64_t s = 0; s < kSteps; ++s) {
        (ta ? line.at(s, 0) : line.at(0, s)) = ta ? a.at(s, row) : a.at(row, s);
        other.at(0, s) = b.at(column, s);
      }
      multiply(ta, line, true, other, false, one.view());
      EXPECT_EQ(one.at(0, 0), all.at(row, column)) << row << " " << column;
    }
  }
  set_compute_threads(threads);
}

TEST(Product, NothingIsAddedWhereThereIsNothing) {
  Stored<float> a(0, 5, 1), b(3, 5, 2), c(0, 3, 3);
  multiply(false, a, true, b, false, c.view());
}

TEST(Product, NanAndInfinityAreNotHidden) {
  Stored<float> a(20, 30, 1), b(50, 30, 2), c(20, 50, 3);
  a.at(9, 29) = NAN;
  b.at(49, 0) = INFINITY;
  multiply(false, a, true, b, false, c.view());
  EXPECT_TRUE(std::isnan(c.at(9, 0)));
  EXPECT_TRUE(std::isinf(c.at(8, 49)));
  EXPECT_TRUE(std::isfinite(c.at(8, 48)));
}

// A weight that was packed once for decoding gives the bits that a product gives, for any number of rows.
template <typename T>
void expect_packed_linear(int64_t rows, int64_t outputs, int64_t depth) {
  Stored<T> x(rows, depth, 1), weight(outputs, depth, 2);
  std::vector<T> packed(static_cast<size_t>(table<T>().packed_weight_size(outputs, depth))), bias(static_cast<size_t>(outputs));
  table<T>().pack_weight(weight.view(), packed.data());
  for (size_t i = 0; i < bias.size(); ++i) bias[i] = static_cast<T>(i) / 7;
  for (const T* given : {static_cast<const T*>(nullptr), static_cast<const T*>(bias.data())})
    for (bool accumulate : {false, true}) {
      SCOPED_TRACE(testing::Message() << rows << " x " << outputs << " x " << depth << " bias " << (given != nullptr) << " add " << accumulate);
      Stored<T> y(rows, outputs, 3), expected = y;
      if (given) table<T>().fill_rows(expected.view(), given, accumulate);
      multiply(false, x, true, weight, accumulate || given, expected.view());
      table<T>().linear_few_rows(x.view(), packed.data(), given, y.view(), accumulate);
      EXPECT_EQ(y.values, expected.values);
    }
}

TEST(Product, APackedWeightGivesTheSameBits) {
  for (int64_t rows : {1, 2, 3, 7, 8, 9, 32})
    for (auto [outputs, depth] : {std::pair<int64_t, int64_t>{1, 1}, {48, 16}, {49, 257}, {400, 600}, {1000, 31}}) {
      expect_packed_linear<float>(rows, outputs, depth);
      expect_packed_linear<double>(rows, outputs, depth);
    }
}

// Rounding moves a weight by half a step at most, a step being the 127th part of its output's largest.
template <typename T>
void expect_rounded_linear(int64_t rows, int64_t outputs, int64_t depth) {
  SCOPED_TRACE(testing::Message() << rows << " x " << outputs << " x " << depth);
  Stored<T> x(rows, depth, 1), weight(outputs, depth, 2), y(rows, outputs, 3), expected = y;
  if (outputs > 2) std::fill_n(&weight.at(2, 0), depth, T(0));
  std::vector<T> memory(static_cast<size_t>(table<T>().rounded_weight_size(outputs, depth)) / sizeof(T) + 1), bias(static_cast<size_t>(outputs), T(0.25));
  auto* rounded = reinterpret_cast<int8_t*>(memory.data());
  table<T>().round_weight(weight.view(), rounded);
  table<T>().fill_rows(expected.view(), bias.data(), true);
  multiply(false, x, true, weight, true, expected.view());
  table<T>().linear_rounded(x.view(), rounded, bias.data(), y.view(), true);
  double error = 0;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t o = 0; o < outputs; ++o) {
      double largest = 0, sum = 0;
      for (int64_t i = 0; i < depth; ++i) {
        largest = std::max(largest, std::abs(static_cast<double>(weight.at(o, i))));
        sum += std::abs(static_cast<double>(x.at(r, i)));
      }
      const double difference = std::abs(static_cast<double>(y.at(r, o)) - static_cast<double>(expected.at(r, o)));
      EXPECT_LE(difference, largest / 127 / 2 * sum * 1.01 + 1e-5) << r << ", " << o;
      error = std::max(error, difference);
    }
  if (depth > 16) {
    EXPECT_GT(error, 1e-6);  // it is a rounded copy that was used
  }
}

TEST(Product, ARoundedWeightGivesAboutTheSame) {
  for (int64_t rows : {1, 3})
    for (auto [outputs, depth] : {std::pair<int64_t, int64_t>{1, 1}, {48, 16}, {49, 257}, {400, 602}, {1000, 31}}) {
      expect_rounded_linear<float>(rows, outputs, depth);
      expect_rounded_linear<double>(rows, outputs, depth);
    }
}

TEST(Product, ARoundedWeightHidesNoNan) {
  Stored<float> x(1, 30, 1), weight(50, 30, 2), y(1, 50, 3);
  weight.at(9, 29) = NAN;
  weight.at(49, 0) = -INFINITY;
  std::vector<float> memory(static_cast<size_t>(table<float>().rounded_weight_size(50, 30)));
  auto* rounded = reinterpret_cast<int8_t*>(memory.data());
  table<float>().round_weight(weight.view(), rounded);
  table<float>().linear_rounded(x.view(), rounded, nullptr, y.view(), false);
  EXPECT_TRUE(std::isnan(y.at(0, 9)));
  EXPECT_TRUE(std::isnan(y.at(0, 49)));
  EXPECT_TRUE(std::isfinite(y.at(0, 48)));
}

}  // namespace
}  // namespace picochat::model::kernels
