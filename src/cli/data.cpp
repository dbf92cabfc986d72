#include "bind.hpp"
#include "picochat/corpus/commands.hpp"
#include "picochat/honesty/honesty.hpp"
#include "picochat/tasks/inspect.hpp"
#include "picochat/tasks/skills_corpus.hpp"
#include "picochat/tasks/task_pack.hpp"
#include "subcommands.hpp"

namespace picochat::cli {

std::vector<Command> data_commands() {
  auto& files = base::real_file_system();
  return {
      bind_output({"data", "preview"}, "what a corpus or pack holds, and what to run next", corpus::preview_options(),
                  [&files](const corpus::PreviewOptions& o) {
                    return corpus::preview(files, o, {.chat = [](const base::Path& path) { return tasks::inspect_chat_rows(path); },
                                                      .eval = [](const base::Path& path) { return tasks::inspect_eval_rows(path); }});
                  }),
      bind_output({"data", "inspect"}, "statistics of a file or folder of text", corpus::inspect_options(), corpus::inspect),
      bind_output({"data", "build"}, "write a corpus as one text file with its manifest", corpus::build_options(),
                  [&files](const corpus::BuildOptions& o) { return corpus::build(files, o); }),
      bind_output({"data", "init-pack"}, "start a dataset pack around a corpus", corpus::init_pack_options(),
                  [&files](const corpus::InitPackOptions& o) { return corpus::init_pack_command(files, o); }),
      bind_output({"data", "task-pack"}, "generate SFT and eval rows into a pack", tasks::task_pack_options(),
                  [&files](const tasks::TaskPackOptions& o) { return tasks::run_task_pack(files, o); }),
      bind_output({"data", "benchmark-pack"}, "generate SFT and eval rows into a pack (benchmark profiles)", tasks::benchmark_pack_options(),
                  [&files](const tasks::BenchmarkPackOptions& o) { return tasks::run_benchmark_pack(files, o); }),
      bind_output({"data", "skills-corpus"}, "generate pretraining drills", tasks::skills_corpus_options(),
                  [&files](const tasks::SkillsCorpusOptions& o) { return tasks::run_skills_corpus(files, o); }),
      bind_output({"data", "honesty"}, "look for eval rows in the training material", honesty::honesty_options(),
                  [&files](const honesty::HonestyOptions& o) { return honesty::run_honesty(files, o); }, true),
  };
}

}  // namespace picochat::cli
