#include "bind.hpp"
#include "picochat/eval/chat_eval.hpp"
#include "picochat/eval/external.hpp"
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
  };
}

}  // namespace picochat::cli
