// The same bytes for any number of compute threads and from run to run, and a look at the sources for what would
// break that.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "model/support.hpp"
#include "picochat/base/digest.hpp"
#include "picochat/model/determinism.hpp"
#include "picochat/model/optimizer_kernels.hpp"
#include "support/project.hpp"

namespace picochat::model {
namespace {

class Threads {
 public:
  explicit Threads(int count) : before_(compute_threads()) { set_compute_threads(count); }
  ~Threads() { set_compute_threads(before_); }

 private:
  int before_;
};

std::string_view bytes(const at::Tensor& t) {
  return {static_cast<const char*>(t.data_ptr()), static_cast<size_t>(t.nbytes())};
}

struct Outcome {
  double loss, norm;
  uint64_t gradients, parameters, nll;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome train_two_steps(const Config& config, const OwnedBatch& owned, int threads) {
  const Threads guard(threads);
  const ParameterLayout layout(config);
  at::Tensor parameters = test_parameters(config), gradients = allocate_flat(layout.size());
  at::Tensor first = allocate_flat(layout.size()), second = allocate_flat(layout.size());
  Transformer transformer(config, owned.rows, owned.length, true);
  Batch batch = owned.batch();
  batch.dropout_key = 3;
  std::vector<float> nll(owned.tokens.size());
  Outcome outcome{};
  for (int step = 1; step <= 2; ++step) {
    outcome.loss = transformer.forward_backward(batch, parameters, gradients, nll.data());
    outcome.gradients = base::hash64(bytes(gradients));
    outcome.norm = squared_norm(gradients.data_ptr<float>(), layout.size());
    adamw_step({.learning_rate = 1e-2, .weight_decay = 0.1, .step = step}, layout.size(), layout.decay_size(),
               parameters.data_ptr<float>(), gradients.data_ptr<float>(), first.data_ptr<float>(),
               second.data_ptr<float>(), true);
  }
  for (const auto& entry : layout.entries())
    if (entry.hidden_matrix) {
      at::Tensor matrix = layout.view(parameters, entry);
      muon_orthogonalize(matrix.data_ptr<float>(), entry.shape[0], entry.shape[1]);
    }
  outcome.parameters = base::hash64(bytes(parameters));
  outcome.nll = base::hash64({reinterpret_cast<const char*>(nll.data()), nll.size() * sizeof(float)});
  return outcome;
}

struct Case {
  std::string name;
  Config config;
  int64_t rows, length;
  bool packed;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const NamedConfig& named : interesting_configs()) all.push_back({named.name, named.config, 3, 37, true});
  Config larger = parallel_config();
  larger.vocab_size = 1021;
  larger.context_size = 203;
  larger.n_embd = 192;
  larger.n_head = 6;
  larger.n_kv_head = 3;
  all.push_back({"larger_and_odd", larger, 5, 203, false});
  larger.dropout = 0.1;
  larger.parallel_residual = false;
  larger.linear_bias = true;
  larger.norm_type = NormType::kLayerNorm;
  all.push_back({"larger_with_dropout_and_biases", larger, 5, 203, true});
  return all;
}

class ForAnyThreads : public testing::TestWithParam<Case> {};

TEST_P(ForAnyThreads, TrainingGivesTheSameBytes) {
  OwnedBatch owned = random_batch(GetParam().config, GetParam().rows, GetParam().length, 1);
  if (GetParam().packed) {
    add_random_weights(owned, 2);
    add_random_segments(owned, 3);
  }
  const Outcome one = train_two_steps(GetParam().config, owned, 1);
  for (int threads : {1, 2, 3, 4})
    EXPECT_EQ(train_two_steps(GetParam().config, owned, threads), one) << threads << " threads";
}

INSTANTIATE_TEST_SUITE_P(Model, ForAnyThreads, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

TEST(ForAnyThreads, InitialisationGivesTheSameBytes) {
  Config config = parallel_config();
  config.vocab_size = 3000;
  config.scaled_residual_init = true;
  const ParameterLayout layout(config);
  at::Tensor a = allocate_flat(layout.size()), b = allocate_flat(layout.size());
  initialize(config, 5, a);
  initialize(config, 5, b);
  EXPECT_TRUE(at::equal(a, b));
  initialize(config, 6, b);
  EXPECT_FALSE(at::equal(a, b));
}

TEST(DeterministicEnvironment, IsSetForMkl) {
  const char* value = std::getenv("MKL_CBWR");
  ASSERT_NE(value, nullptr);
  EXPECT_NE(std::string(value).find("STRICT"), std::string::npos);
}

// ATen cuts reductions, transcendental loops and accumulating scatters by the number of threads, so the training
// path may not call them. (Copies, zeroing and views are exact.) The plain ATen reference and what runs on a GPU are not on that path.
TEST(SourcesOfTheTrainingPath, CallNothingThatDependsOnThreads) {
  const std::regex forbidden(
      R"((at::|\.|->)(sum|mean|norm|linalg_vector_norm|var|std|logsumexp|softmax|log_softmax|exp|exp_|log|tanh|sigmoid|erf|gelu|silu|rsqrt|pow|cos|sin|index_add_|index_put_|scatter_add_|scatter_reduce_|bincount|cumsum|embedding_dense_backward|cross_entropy_loss|nll_loss|layer_norm|rms_norm|scaled_dot_product_attention|mm|matmul|bmm|addmm|addmm_|linear|rand|randn|randperm|bernoulli_|normal_|uniform_|dropout_)\()"
      R"(|#include <ATen/(native|ops)/)"
      R"(|std::(random_device|mt19937|execution)|\brand\(\)|omp (atomic|critical)|schedule\(guided|reduction\([^)]*\)[^\n]*parallel|parallel[^\n]*reduction\()");
  const std::filesystem::path root = kSourceDir;
  int files = 0;
  for (const char* room : {"src/model", "src/train"}) {
    if (!std::filesystem::exists(root / room)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / room)) {
      const std::string extension = entry.path().extension(), name = entry.path().filename();
      if (extension != ".cpp" && extension != ".hpp" && extension != ".inc") continue;
      if (name.starts_with("reference") || entry.path().string().find("/device") != std::string::npos) continue;
      ++files;
      std::ifstream file(entry.path());
      std::string line;
      for (int number = 1; std::getline(file, line); ++number) {
        const std::string code = line.substr(0, line.find("//"));
        if (std::regex_search(code, std::regex(R"((ops|ops_|kernels_|context\.ops|replicas_|process)(\.|->))")))
          continue;  // our own operations; sums over ranks go in the order of ranks
        EXPECT_FALSE(std::regex_search(code, forbidden)) << entry.path() << ":" << number << ": " << line;
      }
    }
  }
  EXPECT_GT(files, 20);
}

}  // namespace
}  // namespace picochat::model
