#include "replicas.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <ATen/ATen.h>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/model/optimizer_kernels.hpp"
#include "picochat/model/parameters.hpp"

namespace picochat::train {

Replicas::Replicas(std::shared_ptr<ProcessGroup> group) : group_(std::move(group)) {
  if (!group_) return;
  rank_ = group_->rank();
  world_ = group_->world_size();
}

std::pair<int64_t, int64_t> Replicas::share(int64_t micro_steps) const {
  if (micro_steps % world_)
    throw base::usage_error({.what = base::cat("a step of ", micro_steps, " micro-batches cannot be shared equally"), .where = "grad_accum_steps", .expected = base::cat("a multiple of ", world_, " ranks")});
  const int64_t each = micro_steps / world_;
  return {rank_ * each, (rank_ + 1) * each};
}

LocalNews Replicas::agree(const LocalNews& news, StepSums& sums) const {
  if (alone()) return news;
  const auto ranks = group_->all_gather(std::vector<double>{sums.loss, static_cast<double>(news.signal), news.save_now ? 1.0 : 0.0, news.time_is_over ? 1.0 : 0.0,
                                                            news.save_is_due ? 1.0 : 0.0, sums.accuracy, sums.reward_margin});
  LocalNews agreed{.time_is_over = ranks[0][3] != 0, .save_is_due = ranks[0][4] != 0};
  sums = {};
  for (const auto& rank : ranks) {
    sums.loss += rank[0];
    sums.accuracy += rank[5];
    sums.reward_margin += rank[6];
    agreed.signal = std::max(agreed.signal, static_cast<int>(rank[1]));
    agreed.save_now = agreed.save_now || rank[2] != 0;
  }
  return agreed;
}

StepSums Replicas::sum(const at::Tensor& gradients, const StepSums& sums, LocalNews& news) const {
  if (alone()) return sums;
  group_->all_reduce_sum(gradients);
  StepSums all = sums;
  news = agree(news, all);
  return all;
}

int64_t Replicas::part_size(int64_t size) const {
  const int64_t blocks = (size + model::kNormBlockValues - 1) / model::kNormBlockValues;
  return (blocks + world_ - 1) / world_ * model::kNormBlockValues;
}

at::Tensor Replicas::part_of(const at::Tensor& whole) const { return whole.narrow(0, rank_ * (whole.numel() / world_), whole.numel() / world_); }

StepSums Replicas::sum_parts(const at::Tensor& whole, const StepSums& sums, LocalNews& news) const {
  group_->reduce_scatter_sum(whole, part_of(whole));
  StepSums all = sums;
  news = agree(news, all);
  return all;
}

void Replicas::gather_parts(const at::Tensor& whole) const { group_->all_gather(part_of(whole), whole); }

double Replicas::norm_of_parts(const at::Tensor& part) const {
  const std::vector<double> mine = part.is_cpu() ? model::squared_norm_blocks(part.data_ptr<float>(), part.numel()) : std::vector<double>{model::squared_norm(part)};
  double total = 0;
  for (const auto& blocks : group_->all_gather(mine))
    for (double block : blocks) total += block;
  return std::sqrt(total);
}

at::Tensor Replicas::collect(const at::Tensor& part, int64_t size) const {
  at::Tensor whole = leads() ? model::allocate_flat(size) : at::Tensor();
  for (int root = 0; root < world_; ++root) {
    const at::Tensor values = root == rank_ ? part : at::empty_like(part);
    group_->broadcast(values, root);
    const int64_t first = root * part.numel(), count = std::clamp<int64_t>(size - first, 0, part.numel());
    if (leads() && count > 0) whole.narrow(0, first, count).copy_(values.narrow(0, 0, count));
  }
  return whole;
}

void Replicas::deal(const at::Tensor& whole, const at::Tensor& part) const {
  for (int to = 0; to < world_; ++to) {
    at::Tensor values = to == rank_ ? part : at::empty_like(part);
    if (leads()) {
      const int64_t first = to * part.numel(), count = std::clamp<int64_t>(whole.numel() - first, 0, part.numel());
      values.zero_();
      if (count > 0) values.narrow(0, 0, count).copy_(whole.narrow(0, first, count));
    }
    group_->broadcast(values);
  }
}

void Replicas::spread(const at::Tensor& values) const {
  if (!alone()) group_->broadcast(values);
}

base::Json Replicas::spread(const base::Json& value) const {
  return alone() ? value : base::Json::parse(group_->broadcast(base::dump(value, -1)));
}

ValidationResult Replicas::validate(Validator& validator, model::Transformer& transformer, const model::Parameters& parameters, bool in_step) const {
  if (alone()) return validator.run(transformer, parameters);
  // A batch's scores travel as: how many, then they.
  std::string mine;
  for (int64_t first = 0; first < validator.batches(); first += world_) {
    const int64_t batch = first + rank_;
    std::vector<SequenceScore> scores;
    if (batch >= validator.batches()) {
      if (in_step) validator.score(first, transformer, parameters, scores);
      break;
    }
    validator.score(batch, transformer, parameters, scores);
    const auto count = static_cast<uint64_t>(scores.size());
    mine.append(reinterpret_cast<const char*>(&count), sizeof count);
    mine.append(reinterpret_cast<const char*>(scores.data()), scores.size() * sizeof(SequenceScore));
  }
  const auto parts = group_->all_gather(mine);
  std::vector<size_t> at(parts.size(), 0);
  std::vector<SequenceScore> all;
  for (int64_t batch = 0; batch < validator.batches(); ++batch) {
    const auto rank = static_cast<size_t>(batch % world_);
    uint64_t count = 0;
    std::memcpy(&count, parts[rank].data() + at[rank], sizeof count);
    at[rank] += sizeof count;
    const size_t before = all.size();
    all.resize(before + count);
    std::memcpy(all.data() + before, parts[rank].data() + at[rank], count * sizeof(SequenceScore));
    at[rank] += count * sizeof(SequenceScore);
  }
  return summarize(all);
}

void Replicas::require_agreement(double checksum, int64_t step) const {
  if (alone()) return;
  const auto all = group_->all_gather(std::vector<double>{checksum});
  std::vector<std::string> others;
  for (size_t rank = 1; rank < all.size(); ++rank)
    if (std::memcmp(all[rank].data(), all[0].data(), sizeof(double)) != 0) others.push_back(base::cat(rank));
  if (!others.empty())
    throw base::environment_error({.what = base::cat("the ranks disagree: the weights of rank ", base::join(others, ", "), " are not those of rank 0"), .where = base::cat("step ", step),
                                   .remedy = "a fault of memory or hardware, most likely: check those hosts; the same command goes on from the last checkpoint, which is older than this"});
}

void Replicas::report(int64_t step, const std::string& phase) const {
  if (group_) group_->report(step, phase);
}

}  // namespace picochat::train
