#include "picochat/train/sft_source.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "picochat/base/error.hpp"
#include "picochat/base/random.hpp"
#include "picochat/base/text.hpp"
#include "picochat/tokenizer/tokenizer.hpp"
#include "picochat/train/held_out.hpp"

namespace picochat::train {
namespace {

using base::cat;
using base::Json;

int64_t positions_of(const SftExample& example) { return static_cast<int64_t>(example.tokens.size()) - 1; }

int64_t supervised_of(const SftExample& example) { return std::count(example.supervised.begin() + 1, example.supervised.end(), 1); }

Json label_audit(const std::vector<SftExample>& examples) {
  int64_t positions = 0, supervised = 0, zero = 0;
  std::map<std::string, int64_t> per_category;
  for (const auto& example : examples) {
    const int64_t count = supervised_of(example);
    positions += positions_of(example);
    supervised += count;
    zero += count == 0;
    per_category[example.category] += count;
  }
  return {{"sequences", examples.size()}, {"total_label_positions", positions}, {"supervised_tokens", supervised}, {"ignored_tokens", positions - supervised},
          {"active_label_fraction", positions ? Json(static_cast<double>(supervised) / static_cast<double>(positions)) : Json(nullptr)},
          {"zero_supervised_sequences", zero}, {"category_supervised_tokens", per_category}};
}

Json side_report(const std::vector<SftExample>& examples) {
  std::map<std::string, int64_t> categories;
  std::vector<int64_t> indices;
  for (const auto& example : examples) ++categories[example.category], indices.push_back(example.row);
  return {{"examples", examples.size()}, {"category_counts", categories}, {"row_indices", indices}, {"label_audit", label_audit(examples)}};
}

}  // namespace

SftData prepare_sft(const tokenizer::Tokenizer& tokenizer, const std::vector<tasks::ChatRow>& rows, int64_t context_size, uint64_t seed, double val_fraction) {
  std::vector<SftExample> examples;
  std::map<std::string, int64_t> skipped;
  for (size_t i = 0; i < rows.size(); ++i) {
    auto encoded = tasks::encode_chat(tokenizer, rows[i].turns);
    if (static_cast<int64_t>(encoded.tokens.size()) > context_size + 1) {
      ++skipped[rows[i].category];
      continue;
    }
    examples.push_back({{encoded.tokens.begin(), encoded.tokens.end()}, std::move(encoded.supervised), rows[i].category, static_cast<int64_t>(i)});
  }
  if (examples.empty())
    throw base::bad_input({.what = "no SFT row fits the context", .expected = cat("conversations of at most ", context_size + 1, " tokens"),
                           .found = cat(rows.size(), " rows, all longer"), .remedy = "shorten the rows or use a larger --context-size"});
  SftData data;
  std::vector<std::string> groups;
  for (const auto& example : examples) groups.push_back(rows[static_cast<size_t>(example.row)].group);
  const auto [held_out, method] = choose_held_out(groups, base::Random(seed, "sft-validation-split"), val_fraction);
  for (size_t i = 0; i < examples.size(); ++i) (held_out[i] ? data.validation : data.train).push_back(std::move(examples[i]));
  if (method == "single_example") data.validation = data.train;
  data.report = {{"source_rows", rows.size()}, {"num_examples", data.train.size() + (method == "single_example" ? 0 : data.validation.size())},
                 {"truncated_examples", 0},
                 {"skipped_long_examples", std::accumulate(skipped.begin(), skipped.end(), int64_t{0}, [](int64_t n, const auto& s) { return n + s.second; })},
                 {"skipped_long_category_counts", skipped}, {"split_method", method}, {"val_fraction", val_fraction},
                 {"train", side_report(data.train)}, {"validation", side_report(data.validation)}};
  return data;
}

std::vector<PackedRow> pack_best_fit(const std::vector<SftExample>& examples, const std::vector<int64_t>& order, int64_t context_size) {
  std::vector<int64_t> by_length = order;
  std::stable_sort(by_length.begin(), by_length.end(), [&](int64_t a, int64_t b) {
    return positions_of(examples[static_cast<size_t>(a)]) > positions_of(examples[static_cast<size_t>(b)]);
  });
  std::vector<PackedRow> rows;
  std::set<std::pair<int64_t, size_t>> room;  // (free positions, row)
  for (int64_t index : by_length) {
    const int64_t need = positions_of(examples[static_cast<size_t>(index)]);
    auto best = room.lower_bound({need, 0});
    if (best == room.end()) {
      rows.push_back({index});
      room.insert({context_size - need, rows.size() - 1});
    } else {
      auto [free, row] = *best;
      room.erase(best);
      rows[row].push_back(index);
      room.insert({free - need, row});
    }
  }
  return rows;
}

void fill_packed(const std::vector<SftExample>& examples, const PackedRow* rows, int64_t count, int64_t context_size, float weight, MicroBatch& out) {
  int64_t longest = 1;
  for (int64_t r = 0; r < count; ++r) {
    int64_t used = 0;
    for (int64_t index : rows[r]) used += positions_of(examples[static_cast<size_t>(index)]);
    longest = std::max(longest, used);
  }
  out.rows = count;
  out.length = std::min(context_size, (longest + 15) / 16 * 16);
  const auto cells = static_cast<size_t>(out.rows * out.length);
  out.tokens.assign(cells, static_cast<int32_t>(tokenizer::kPad));
  out.targets.assign(cells, static_cast<int32_t>(tokenizer::kPad));
  out.weights.assign(cells, 0);
  out.segment_start.assign(cells, 0);
  out.uniform_weight = 0;
  for (int64_t r = 0; r < count; ++r) {
    int64_t at = 0;
    const auto row = static_cast<size_t>(r * out.length);
    for (int64_t index : rows[r]) {
      const auto& example = examples[static_cast<size_t>(index)];
      const auto start = static_cast<int32_t>(at);
      for (int64_t i = 0; i < positions_of(example); ++i, ++at) {
        const size_t cell = row + static_cast<size_t>(at), token = static_cast<size_t>(i);
        out.tokens[cell] = example.tokens[token];
        out.targets[cell] = example.tokens[token + 1];
        out.weights[cell] = example.supervised[token + 1] ? weight : 0;
        out.segment_start[cell] = start;
      }
    }
    for (auto padding = static_cast<int32_t>(at); at < out.length; ++at) out.segment_start[row + static_cast<size_t>(at)] = padding;
  }
}

SftSource::SftSource(const std::vector<SftExample>& examples, const SftOptions& options) : examples_(examples), options_(options) {
  base::require(!examples.empty(), "SFT has examples");
}

const std::vector<PackedRow>& SftSource::epoch_rows(int64_t epoch) {
  while (static_cast<int64_t>(epochs_.size()) <= epoch) {
    base::Random random(options_.seed, cat("sft-epoch ", epochs_.size()));
    std::vector<int64_t> order(examples_.size());
    if (options_.sampling == "uniform") {
      std::iota(order.begin(), order.end(), 0);
      random.shuffle(std::span(order));
    } else {  // as many draws as there are examples, with replacement, weighted by category
      std::map<std::string, int64_t> counts;
      for (const auto& example : examples_) ++counts[example.category];
      std::vector<double> cumulative;
      double sum = 0;
      for (const auto& example : examples_) {
        const auto size = static_cast<double>(counts[example.category]);
        cumulative.push_back(sum += options_.sampling == "category_sqrt" ? 1 / std::sqrt(size) : 1 / size);
      }
      for (auto& index : order) {
        const auto place = std::upper_bound(cumulative.begin(), cumulative.end(), random.uniform() * sum) - cumulative.begin();
        index = std::min<int64_t>(place, static_cast<int64_t>(examples_.size()) - 1);
      }
    }
    std::vector<PackedRow> rows;
    if (options_.packing == "bos_bestfit") {
      rows = pack_best_fit(examples_, order, options_.context_size);
      random.shuffle(std::span(rows));
    } else {
      for (int64_t index : order) rows.push_back({index});
    }
    epochs_.push_back(std::move(rows));
  }
  return epochs_[static_cast<size_t>(epoch)];
}

void SftSource::prepare(int64_t step) {
  const int64_t rows_per_step = options_.batch_size * options_.grad_accum_steps;
  int64_t skip = (step - 1) * rows_per_step, epoch = 0;
  while (skip >= static_cast<int64_t>(epoch_rows(epoch).size())) skip -= static_cast<int64_t>(epoch_rows(epoch++).size());
  first_epoch_ = epoch;
  rows_.clear();
  supervised_ = 0;
  while (static_cast<int64_t>(rows_.size()) < rows_per_step) {
    const auto& rows = epoch_rows(epoch);
    if (skip == static_cast<int64_t>(rows.size())) {
      ++epoch;
      skip = 0;
      continue;
    }
    rows_.push_back(rows[static_cast<size_t>(skip++)]);
    for (int64_t index : rows_.back()) supervised_ += supervised_of(examples_[static_cast<size_t>(index)]);
  }
}

void SftSource::fill(int64_t micro_step, MicroBatch& out) const {
  const float weight = supervised_ > 0 ? 1.0f / static_cast<float>(supervised_) : 0;
  fill_packed(examples_, rows_.data() + micro_step * options_.batch_size, options_.batch_size, options_.context_size, weight, out);
}

Json SftSource::description() const {
  Json out{{"mode", options_.sampling}, {"packing", options_.packing}, {"examples", examples_.size()}, {"context_size", options_.context_size},
           {"sequences_per_step", options_.batch_size * options_.grad_accum_steps}, {"seed", options_.seed}};
  if (!epochs_.empty()) {
    int64_t used = 0, placed = 0;
    for (const auto& row : epochs_[0])
      for (int64_t index : row) used += positions_of(examples_[static_cast<size_t>(index)]), ++placed;
    const auto rows = static_cast<double>(epochs_[0].size());
    out["packed_sequences"] = epochs_[0].size();
    out["packing_efficiency"] = static_cast<double>(used) / (rows * static_cast<double>(options_.context_size));
    out["average_examples_per_sequence"] = static_cast<double>(placed) / rows;
  }
  return out;
}

}  // namespace picochat::train
