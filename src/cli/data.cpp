#include "bind.hpp"
#include "picochat/corpus/climbmix.hpp"
#include "picochat/corpus/commands.hpp"
#include "picochat/corpus/hf_import.hpp"
#include "picochat/factory/preview.hpp"
#include "picochat/honesty/decontaminate.hpp"
#include "picochat/honesty/honesty.hpp"
#include "picochat/tasks/skills_corpus.hpp"
#include "picochat/tasks/slice_pack.hpp"
#include "picochat/tasks/starters.hpp"
#include "picochat/tasks/task_pack.hpp"
#include "subcommands.hpp"

namespace picochat::cli {

std::vector<Command> data_commands() {
  auto& files = base::real_file_system();
  return {
      bind_output({"data", "preview"}, "what a corpus or pack holds, and what to run next", corpus::preview_options(),
                  [&files](const corpus::PreviewOptions& o) { return factory::preview(files, o); }),
      bind_output({"data", "inspect"}, "statistics of a file or folder of text", corpus::inspect_options(),
                  [&files](const corpus::InspectOptions& o) { return corpus::inspect(files, o); }),
      bind_output({"data", "dedup"}, "write a corpus without exact and near duplicates", corpus::dedup_options(),
                  [&files](const corpus::DedupOptions& o) { return corpus::dedup(files, o); }),
      bind_output({"data", "build"}, "write a corpus as one text file with its manifest", corpus::build_options(),
                  [&files](const corpus::BuildOptions& o) { return corpus::build(files, o); }),
      bind_output({"data", "init-pack"}, "start a dataset pack around a corpus", corpus::init_pack_options(),
                  [&files](const corpus::InitPackOptions& o) { return corpus::init_pack_command(files, o); }),
      bind_output({"data", "hf-import"}, "import rows of a hub's data set, or of local files, as documents", corpus::import_options(),
                  [&files](const corpus::ImportOptions& o) { return corpus::hf_import(files, o); }),
      bind_output({"data", "climbmix-import"}, "import ClimbMix documents and start a pack around them, in one folder", corpus::climbmix_options(),
                  [&files](const corpus::ClimbmixOptions& o) { return corpus::climbmix_import(files, o); }),
      bind_output({"data", "task-pack"}, "generate SFT and eval rows into a pack", tasks::task_pack_options(),
                  [&files](const tasks::TaskPackOptions& o) { return tasks::run_task_pack(files, o); }),
      bind_output({"data", "benchmark-pack"}, "generate SFT and eval rows into a pack (benchmark profiles)", tasks::benchmark_pack_options(),
                  [&files](const tasks::BenchmarkPackOptions& o) { return tasks::run_benchmark_pack(files, o); }),
      bind_output({"data", "slice-pack"}, "a pack with the rows of some categories", tasks::slice_pack_options(),
                  [&files](const tasks::SlicePackOptions& o) { return tasks::run_slice_pack(files, o); }),
      bind_output({"data", "stage-pack"}, "a pack for each stage of tuning", tasks::stage_pack_options(),
                  [&files](const tasks::StagePackOptions& o) { return tasks::run_stage_pack(files, o); }),
      bind_output({"data", "eval-starter"}, "first eval rows from sentences of a corpus", tasks::eval_starter_options(),
                  [&files](const tasks::StarterOptions& o) { return tasks::run_eval_starter(files, o); }),
      bind_output({"data", "sft-starter"}, "first chat rows from sentences of a corpus", tasks::sft_starter_options(),
                  [&files](const tasks::StarterOptions& o) { return tasks::run_sft_starter(files, o); }),
      bind_output({"data", "preference-starter"}, "first preference rows from chat rows", tasks::preference_starter_options(),
                  [&files](const tasks::PreferenceStarterOptions& o) { return tasks::run_preference_starter(files, o); }),
      bind_output({"data", "skills-corpus"}, "generate pretraining drills", tasks::skills_corpus_options(),
                  [&files](const tasks::SkillsCorpusOptions& o) { return tasks::run_skills_corpus(files, o); }),
      bind_output({"data", "honesty"}, "look for eval rows in the training material", honesty::honesty_options(),
                  [&files](const honesty::HonestyOptions& o) { return honesty::run_honesty(files, o); }, true),
      bind_output({"data", "decontaminate"}, "copy a corpus without what gives eval rows away", honesty::decontaminate_options(),
                  [&files](const honesty::DecontaminateOptions& o) { return honesty::run_decontaminate(files, o); }),
  };
}

}  // namespace picochat::cli
