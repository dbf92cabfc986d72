// Are the replies of the eval recited from the corpus or from the SFT answers?
#include "picochat/base/console.hpp"
#include "picochat/base/text.hpp"
#include "picochat/honesty/memorization.hpp"
#include "picochat/tasks/rows.hpp"
#include "run_context.hpp"

namespace picochat::factory {

using base::cat;

void check_generated_replies(RunContext& run, const Json& eval_report) {
  honesty::MemorizationInputs inputs;
  inputs.threads = static_cast<int>(run.options().threads);
  for (const Json& example : eval_report.at("examples")) {
    if (example.value("stop_reason", "") == "choice") continue;  // a letter was chosen, nothing written
    inputs.generated.push_back({cat("eval row ", example.at("index").get<int64_t>()), example.at("reply").get<std::string>()});
  }
  inputs.corpus = honesty::stream_of(run.corpus);
  Json report = {{"generated_vs_base_corpus", honesty::measure_memorization(inputs)}};
  const auto rows = tasks::read_chat_rows(run.chat_input);
  const std::string file = run.chat_input.filename().string();
  inputs.corpus = [&](const std::function<bool(const honesty::CorpusDocument&)>& visit) {
    for (const tasks::ChatRow& row : rows) {
      const std::string name = cat("line ", row.line);
      for (const tasks::ChatTurn& turn : row.turns)
        if (turn.role == "assistant" && !visit({turn.text, name, file})) return;
    }
  };
  report["generated_vs_sft"] = honesty::measure_memorization(inputs);
  base::write_file(run.files, run.at("honesty/generated_report.json"), base::dump(report) + "\n");
  for (const auto& [pair, result] : report.items()) base::say(cat("honesty: ", pair, ": ", result.at("status").get<std::string>(), ", ", result.at("summary").get<std::string>()));
}

}  // namespace picochat::factory
