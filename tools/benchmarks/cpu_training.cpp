// Training steps per second on the CPU: forward, backward, clipping and AdamW over random tokens.
//   cpu_training pilot|tiny [--steps N] [--threads N] [--batch N]
// Prints the median step in milliseconds and tokens per second. tools/benchmarks/cpu_training_compare runs it
// beside the same architecture in PyTorch.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "picochat/base/digest.hpp"
#include "picochat/base/random.hpp"
#include "picochat/model/determinism.hpp"
#include "picochat/model/optimizer_kernels.hpp"
#include "picochat/model/parameters.hpp"
#include "picochat/model/transformer.hpp"

namespace {

using picochat::model::Config;

struct Arguments {
  std::string shape = "pilot";
  int steps = 8, threads = 0;
  int64_t batch = 8;
};

Arguments parse(int count, char** values) {
  Arguments a;
  for (int i = 1; i < count; ++i) {
    const std::string name = values[i];
    auto number = [&] {
      if (i + 1 == count) std::fprintf(stderr, "%s needs a number\n", name.c_str()), std::exit(2);
      return std::atoi(values[++i]);
    };
    if (name == "--steps")
      a.steps = number();
    else if (name == "--threads")
      a.threads = number();
    else if (name == "--batch")
      a.batch = number();
    else if (name == "pilot" || name == "tiny")
      a.shape = name;
    else
      std::fprintf(stderr, "unknown argument %s\n", name.c_str()), std::exit(2);
  }
  return a;
}

Config shape(const std::string& name) {
  Config c;
  c.norm_type = picochat::model::NormType::kRmsNorm;
  c.position_encoding = picochat::model::PositionEncoding::kRope;
  c.activation = picochat::model::Activation::kSwiglu;
  c.tie_embeddings = c.qk_norm = c.parallel_residual = true;
  c.linear_bias = false;
  if (name == "pilot") {
    c.vocab_size = 8192, c.context_size = 512, c.n_embd = 384, c.n_head = 8, c.n_kv_head = 2, c.n_layer = 8;
  } else {
    c.vocab_size = 1024, c.context_size = 256, c.n_embd = 128, c.n_head = 4, c.n_kv_head = 2, c.n_layer = 4;
  }
  return c;
}

// Processor time of all threads: steadier than wall time on a machine that others use too.
double processor_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  using namespace picochat;
  model::set_deterministic_environment();
  const Arguments arguments = parse(argc, argv);
  model::set_compute_threads(arguments.threads);
  const Config config = shape(arguments.shape);
  const model::ParameterLayout layout(config);
  at::Tensor parameters = model::allocate_flat(layout.size()), gradients = model::allocate_flat(layout.size());
  at::Tensor first = model::allocate_flat(layout.size()), second = model::allocate_flat(layout.size());
  model::initialize(config, 1, parameters);
  model::Transformer transformer(config, arguments.batch, config.context_size, true);

  const int64_t tokens = arguments.batch * config.context_size;
  std::vector<int32_t> ids, targets;
  base::Random random(1, "benchmark tokens");
  for (int64_t i = 0; i < tokens; ++i) {
    ids.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(config.vocab_size))));
    targets.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(config.vocab_size))));
  }
  model::Batch batch;
  batch.rows = arguments.batch;
  batch.length = config.context_size;
  batch.tokens = ids.data();
  batch.targets = targets.data();
  batch.uniform_weight = 1.0f / static_cast<float>(tokens);

  std::vector<double> times, processor_times;
  double loss = 0;
  constexpr int kWarmUp = 2;
  for (int step = 1; step <= arguments.steps + kWarmUp; ++step) {
    const auto begin = std::chrono::steady_clock::now();
    const double processor_begin = processor_seconds();
    loss = transformer.forward_backward(batch, parameters, gradients);
    const double norm = std::sqrt(model::squared_norm(gradients.data_ptr<float>(), layout.size()));
    model::adamw_step({.learning_rate = 3e-4,
                       .weight_decay = 0.1,
                       .gradient_scale = std::min(1.0, 1.0 / (norm + 1e-6)),
                       .step = step},
                      layout.size(), layout.decay_size(), parameters.data_ptr<float>(), gradients.data_ptr<float>(),
                      first.data_ptr<float>(), second.data_ptr<float>(), true);
    if (step <= kWarmUp) continue;
    times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    processor_times.push_back(processor_seconds() - processor_begin);
  }
  const std::string_view bytes(static_cast<const char*>(parameters.data_ptr()),
                               static_cast<size_t>(parameters.nbytes()));
  const double wall = median(times);
  std::printf(
      "picochat %s threads %d step %.1f ms %.0f tokens/s processor %.1f ms loss %.9f weights %016llx level %s arena "
      "%.0f MB\n",
      arguments.shape.c_str(), model::compute_threads(), 1e3 * wall, static_cast<double>(tokens) / wall,
      1e3 * median(processor_times), loss, static_cast<unsigned long long>(base::hash64(bytes)),
      model::instruction_level().c_str(), static_cast<double>(transformer.arena_bytes()) / 1e6);
  return 0;
}
