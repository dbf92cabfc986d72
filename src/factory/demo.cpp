#include "picochat/factory/demo.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "picochat/base/build_info.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/text.hpp"
#include "picochat/factory/run_tiny.hpp"
#include "picochat/serve/generate.hpp"
#include "picochat/tasks/skills_corpus.hpp"
#include "picochat/tasks/task_pack.hpp"

namespace picochat::embedded {
const std::vector<std::pair<std::string, std::string>>& demo_documents();
}

namespace picochat::factory {
namespace {

using base::cat;
using base::Json;
using base::Path;

// The pack that scripts/quickstart makes, from what is inside the program. Published whole or not at all.
Path make_pack(base::FileSystem& files, const Path& run) {
  const Path pack = run.parent_path() / cat(run.filename().string(), "-pack");
  if (std::filesystem::exists(pack / "dataset_pack.json")) return pack;
  base::say(cat("making a pack of this program's documents, drills and release_skills rows: ", pack.string()));
  files.make_directories(pack.parent_path().empty() ? "." : pack.parent_path());
  base::publish_directory(files, pack, [&](const Path& folder) {
    for (const auto& [name, text] : embedded::demo_documents()) base::write_file(files, folder / "docs" / name, text);
    tasks::run_skills_corpus(files, {.out = (folder / "drills.txt").string(), .math_rows = 16000, .spelling_rows = 4000, .choice_rows = 1500, .base_corpus = {}, .recipe_out = {},
                                     .documents_dir = (folder / "drills").string()});
    const std::string revision = cat("picochat ", base::build_info().version);
    const Json docs = {{"path", "docs"}, {"label", "docs"}, {"license", "MIT"}, {"origin", "picochat's documents"}, {"revision", revision}};
    const Json drills = {{"path", "drills"}, {"label", "drills"}, {"license", "MIT"}, {"origin", "picochat data skills-corpus"}, {"revision", revision}};
    base::write_file(files, folder / "corpus_recipe.json", base::dump(Json{{"name", "picochat-demo"}, {"sources", {docs, drills}}}) + "\n");
    base::write_file(files, folder / "dataset_pack.json", base::dump(Json{{"name", "picochat-demo"}, {"corpus", {{"recipe", "corpus_recipe.json"}}}, {"chat", "chat.jsonl"}, {"eval", "eval.jsonl"}}) + "\n");
    tasks::TaskPackOptions rows;
    rows.dataset_pack = (folder / "dataset_pack.json").string();
    rows.profile = "release_skills";
    rows.sft_rows = 2800;
    rows.eval_rows = 350;
    rows.force = true;
    tasks::run_task_pack(files, rows);
  });
  return pack;
}

// The page in a process of its own, which ends with this one.
class Page {
 public:
  Page(const Path& runs_dir, int64_t port) : port_(port) {
    const std::string runs = runs_dir.string(), number = cat(port);
    const pid_t parent = ::getpid();
    child_ = ::fork();
    if (child_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(0);
    ::setpgid(0, 0);  // Ctrl-C at the chat stops an answer, not the page
    const int nowhere = ::open("/dev/null", O_RDWR);
    for (int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nowhere, descriptor);
    ::execl("/proc/self/exe", "picochat", "web", "--runs-dir", runs.c_str(), "--port", number.c_str(), nullptr);
    ::_exit(127);
  }
  ~Page() {
    ::kill(child_, SIGTERM);
    ::waitpid(child_, nullptr, 0);
  }
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;

  // False when it ended at once: the port is taken.
  bool runs() const {
    ::usleep(700'000);
    return ::waitpid(child_, nullptr, WNOHANG) == 0;
  }
  std::string address() const { return cat("http://127.0.0.1:", port_, "/"); }

 private:
  int64_t port_;
  pid_t child_ = 0;
};

}  // namespace

const base::OptionTable<DemoOptions>& demo_options() {
  using O = DemoOptions;
  static const auto table = [] {
    base::OptionTable<O> t;
    t.add("out_dir", &O::out_dir, "run directory; the pack goes beside it").metavar = "DIR";
    t.add("device", &O::device, "where to compute").choose({"auto", "cpu", "cuda"});
    t.add("threads", &O::threads, "compute threads; 0: one per core").at_least(0);
    t.add("port", &O::port, "port of the page").at_least(1).at_most(65535);
    t.add("train_only", &O::train_only, "open neither the page nor a chat");
    t.add("base_steps", &O::base_steps, "a shorter base training").at_least(1).hide();
    t.add("sft_steps", &O::sft_steps, "a shorter fine-tuning").at_least(1).hide();
    return t;
  }();
  return table;
}

base::ExitCode run_demo(base::FileSystem& files, const DemoOptions& options, const std::string& command) {
  const Path run = Path(options.out_dir).lexically_normal();
  auto code = base::ExitCode::kDone;
  if (std::filesystem::exists(run / "summary.json")) {
    base::say(cat(run.string(), " has ended before: ", base::get_string_or(base::read_json(run / "summary.json").at("long_run_gate"), "status", "not judged", "summary.json"), "; read ",
                  (run / "summary.md").string()));
  } else {
    const Path pack = make_pack(files, run);
    Json flags{{"scale", "tiny-cpu"}, {"dataset_pack", (pack / "dataset_pack.json").string()}, {"out_dir", run.string()}, {"device", options.device}, {"threads", options.threads}};
    if (options.base_steps) flags["base_steps"] = *options.base_steps;
    if (options.sft_steps) flags["sft_steps"] = *options.sft_steps;
    code = run_tiny(files, gate::resolve_run_options(flags), command).code;
  }
  if (options.train_only) return code;
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDOUT_FILENO) != 1) {
    base::say(cat("\nGo on with:\n  picochat web --runs-dir ", run.parent_path().empty() ? "." : run.parent_path().string(), "\n  picochat chat ", run.string()));
    return code;
  }
  const Page page(run.parent_path().empty() ? "." : run.parent_path(), options.port);
  base::say(page.runs() ? cat("\nThe page with this run: ", page.address(), "\nHere is a chat with the model; it knows little. Ctrl-D ends both.")
                        : cat("\nThe page did not start (is port ", options.port, " in use? try --port); here is a chat with the model. Ctrl-D ends it."));
  serve::ChatOptions chat;
  chat.run = run.string();
  chat.threads = options.threads;
  return serve::run_chat(chat);
}

namespace {

struct Way {
  std::string name, purpose;
  std::vector<std::string> commands;
};

const std::vector<Way>& ways() {
  static const std::vector<Way> list{
      {"scratch", "train a model from your own text, judge it, and publish it",
       {"picochat data init-pack --corpus my-texts/ --out runs/my-pack",
        "picochat data task-pack --dataset-pack runs/my-pack/dataset_pack.json --profile release_skills --force",
        "picochat run tiny --scale tiny-cpu --dataset-pack runs/my-pack/dataset_pack.json --out-dir runs/mine",
        "picochat run bundle --run-dir runs/mine --out mine.tgz",
        "picochat export hf --checkpoint runs/mine/sft/checkpoint --tokenizer runs/mine/tokenizer.json --out-dir exports/mine --license mit"}},
      {"existing", "fine-tune a small Hugging Face model on your conversations",
       {"picochat import hf --model path/to/model --out-dir imported",
        "picochat train sft --input chat.jsonl --checkpoint imported/checkpoint --tokenizer imported/tokenizer.json --out-dir tuned",
        "picochat chat --checkpoint tuned/checkpoint --tokenizer imported/tokenizer.json"}},
      {"evaluate", "ask a model questions, score it on a benchmark, and check somebody's evidence",
       {"picochat eval chat --input eval.jsonl --checkpoint runs/mine/sft/checkpoint --tokenizer runs/mine/tokenizer.json --out-dir eval-out",
        "picochat eval external --input arc_easy.jsonl --benchmark-name arc-easy --checkpoint runs/mine/sft/checkpoint --tokenizer runs/mine/tokenizer.json --out-dir arc-out",
        "picochat run verify mine.tgz"}}};
  return list;
}

}  // namespace

const base::OptionTable<PathsOptions>& paths_options() {
  static const auto table = [] {
    base::OptionTable<PathsOptions> t;
    t.add("json", &PathsOptions::json, "print JSON");
    return t;
  }();
  return table;
}

base::CommandOutput paths_command(const PathsOptions&) {
  base::CommandOutput out{.json = {{"paths", Json::array()}}, .text = "Three ways to use picochat. To see everything at once: picochat demo\n"};
  for (const Way& way : ways()) {
    out.json["paths"].push_back({{"name", way.name}, {"purpose", way.purpose}, {"commands", way.commands}});
    out.text += cat("\n", way.name, ": ", way.purpose, "\n");
    for (const auto& command : way.commands) out.text += cat("  ", command, "\n");
  }
  return out;
}

}  // namespace picochat::factory
