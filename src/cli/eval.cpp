#include "bind.hpp"
#include "picochat/eval/chat_eval.hpp"
#include "picochat/eval/external.hpp"
#include "picochat/eval/lm_harness.hpp"
#include "picochat/tasks/benchmark_fetch.hpp"
#include "subcommands.hpp"

namespace picochat::cli {

std::vector<Command> eval_commands() {
  auto& files = base::real_file_system();
  return {
      bind({"eval", "chat"}, "ask a model the rows of an eval file and score its replies", eval::chat_eval_options(),
           [&files](const eval::ChatEvalOptions& o, const Invocation&) {
             eval::run_eval_chat(o, files);
             return base::ExitCode::kDone;
           }),
      bind({"eval", "sft-fit"}, "ask a model the rows it was fine-tuned on", eval::sft_fit_options(),
           [&files](const eval::ChatEvalOptions& o, const Invocation&) {
             eval::run_eval_sft_fit(o, files);
             return base::ExitCode::kDone;
           }),
      bind({"eval", "external"}, "score a model on a published multiple-choice benchmark", eval::external_eval_options(),
           [&files](const eval::ExternalEvalOptions& o, const Invocation&) {
             base::write_result(eval::external_markdown(eval::run_eval_external(o, files), o.benchmark_name));
             return base::ExitCode::kDone;
           }),
      bind_output({"eval", "lm-harness"}, "run lm-evaluation-harness on an export or a running server", eval::lm_harness_options(),
                  [&files](const eval::LmHarnessOptions& o) { return eval::lm_harness(files, o); }),
      bind_output({"eval", "fetch"}, "get a published benchmark from the hub, with its digest", tasks::fetch_benchmark_options(),
                  [&files](const tasks::FetchBenchmarkOptions& o) { return tasks::fetch_benchmark(files, o, hub::process_environment()); }),
  };
}

}  // namespace picochat::cli
