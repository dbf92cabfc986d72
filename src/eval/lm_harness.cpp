#include "picochat/eval/lm_harness.hpp"

#include <algorithm>

#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/process.hpp"
#include "picochat/base/text.hpp"
#include "picochat/tokenizer/tokenizer.hpp"

namespace picochat::eval {
namespace {

using base::cat;
using base::Json;
using base::Path;

void require_export(const Path& folder) {
  for (const char* name : {"config.json", "tokenizer.json"})
    if (!std::filesystem::exists(folder / name))
      throw base::bad_input({.what = "this is no exported model", .where = folder.string(), .expected = "a folder with config.json and tokenizer.json", .found = cat("no ", name),
                             .remedy = "make one: picochat export hf --checkpoint RUN/sft/checkpoint --tokenizer RUN/tokenizer.json --out-dir DIR"});
}

// The exported tokenizer with a <bos> put in front of every text.
void write_tokenizer_with_bos(base::FileSystem& files, const Path& from, const Path& to) {
  files.make_directories(to);
  for (const auto& entry : std::filesystem::directory_iterator(from))
    if (const std::string name = entry.path().filename().string(); name.starts_with("tokenizer") || name.starts_with("special_tokens") || name == "config.json" || name.ends_with(".py"))
      base::write_file(files, to / name, base::read_file(entry.path()));
  Json file = base::read_json(from / "tokenizer.json");
  const Json bos{{"SpecialToken", {{"id", "<bos>"}, {"type_id", 0}}}}, text{{"Sequence", {{"id", "A"}, {"type_id", 0}}}}, second{{"Sequence", {{"id", "B"}, {"type_id", 0}}}};
  file["post_processor"] = {{"type", "TemplateProcessing"}, {"single", {bos, text}}, {"pair", {bos, text, second}},
                            {"special_tokens", {{"<bos>", {{"id", "<bos>"}, {"ids", {tokenizer::kBos}}, {"tokens", {"<bos>"}}}}}}};
  base::write_file(files, to / "tokenizer.json", base::dump(file) + "\n");
}

std::string model_args(const LmHarnessOptions& o) {
  std::vector<std::pair<std::string, std::string>> args;
  if (o.server) {
    std::string address = *o.server;
    while (address.ends_with('/')) address.pop_back();
    const Json config = base::read_json(Path(o.model_path) / "config.json");
    args = {{"base_url", address + "/v1/completions"}, {"model", "picochat"}, {"tokenizer", (Path(o.out_dir) / "tokenizer").string()}, {"tokenizer_backend", "huggingface"},
            {"max_length", cat(base::get_int(config, "max_position_embeddings", "config.json"))}};
  } else {
    args = {{"pretrained", o.model_path}};
  }
  if (o.trust_remote_code) args.emplace_back("trust_remote_code", "True");
  args.emplace_back("add_bos_token", "True");
  for (const auto& given : o.model_arg) {
    const size_t equals = given.find('=');
    if (equals == 0 || equals == std::string::npos || given.find(',') != std::string::npos)
      throw base::usage_error({.what = "this is no argument of a model", .where = "--model-arg", .expected = "name=value", .found = given});
    std::erase_if(args, [&](const auto& arg) { return arg.first == given.substr(0, equals); });
    args.emplace_back(given.substr(0, equals), given.substr(equals + 1));
  }
  std::vector<std::string> parts;
  for (const auto& [name, value] : args) {
    if (value.find(',') != std::string::npos)
      throw base::bad_input({.what = "the harness cannot take a comma in an argument", .where = name, .found = value, .remedy = "use a path without commas"});
    parts.push_back(cat(name, "=", value));
  }
  return base::join(parts, ",");
}

std::vector<std::string> command_of(const LmHarnessOptions& o) {
  std::vector<std::string> command{o.python, "-m", "lm_eval", "--model", o.server ? "local-completions" : "hf", "--model_args", model_args(o), "--tasks", o.tasks, "--batch_size",
                                   o.server && o.batch_size == "auto" ? "8" : o.batch_size, "--output_path", o.out_dir};
  auto add = [&](const char* flag, const std::string& value) {
    command.emplace_back(flag);
    command.push_back(value);
  };
  if (!o.server) add("--device", o.device);
  if (o.include_path) add("--include_path", *o.include_path);
  if (o.limit) add("--limit", cat(*o.limit));
  if (o.num_fewshot) add("--num_fewshot", cat(*o.num_fewshot));
  return command;
}

// As a shell would take it.
std::string command_text(const std::vector<std::string>& command) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,@%+";
  std::vector<std::string> parts;
  for (const auto& part : command) {
    const bool plain = !part.empty() && part.find_first_not_of(kPlain) == std::string::npos;
    parts.push_back(plain ? part : cat("'", base::replace_all(part, "'", "'\\''"), "'"));
  }
  return base::join(parts, " ");
}

}  // namespace

const base::OptionTable<LmHarnessOptions>& lm_harness_options() {
  using O = LmHarnessOptions;
  static const auto table = [] {
    base::OptionTable<O> t;
    t.add("model_path", &O::model_path, "folder that `export hf` wrote").must().metavar = "DIR";
    t.add("tasks", &O::tasks, "tasks of the harness, separated by commas").must().metavar = "NAMES";
    t.add("out_dir", &O::out_dir, "folder for the command and the harness's results").must().metavar = "DIR";
    t.add("server", &O::server, "ask a running `picochat serve` of this model instead of loading the export").metavar = "URL";
    t.add("include_path", &O::include_path, "folder of task files beside the harness's own").metavar = "DIR";
    t.add("device", &O::device, "device of transformers").metavar = "NAME";
    t.add("batch_size", &O::batch_size, "the harness's batch size").metavar = "N";
    t.add("limit", &O::limit, "rows of each task").at_least(1);
    t.add("num_fewshot", &O::num_fewshot, "solved examples before each question").at_least(0);
    t.add("model_arg", &O::model_arg, "name=value among the harness's --model_args; repeatable");
    t.add("trust_remote_code", &O::trust_remote_code, "let transformers run the modelling file of the export");
    t.add("python", &O::python, "the Python that has lm_eval").metavar = "PROGRAM";
    t.add("dry_run", &O::dry_run, "write and print the command, and do not run it");
    t.add("json", &O::json, "print JSON");
    return t;
  }();
  return table;
}

base::CommandOutput lm_harness(base::FileSystem& files, const LmHarnessOptions& options) {
  require_export(options.model_path);
  const auto command = command_of(options);
  const std::string text = command_text(command);
  const Json record{{"command", command}, {"command_text", text}, {"dry_run", options.dry_run}, {"out_dir", options.out_dir}, {"tasks", base::split(options.tasks, ',')}, {"model_path", options.model_path}};
  files.make_directories(options.out_dir);
  base::write_file(files, Path(options.out_dir) / "lm_eval_command.json", base::dump(record) + "\n");
  if (options.server) write_tokenizer_with_bos(files, options.model_path, Path(options.out_dir) / "tokenizer");
  if (options.dry_run) return {record, text + "\n"};
  const auto found = base::run_process({options.python, "-c", "import lm_eval"});
  if (found.code != 0)
    throw base::environment_error({.what = "this Python has no lm-evaluation-harness", .where = options.python, .remedy = "name another with --python, or install one: pip install 'lm_eval[api,hf]'"});
  base::say(text);
  const auto result = base::run_process(command, {}, base::Streams::kInherit);
  if (result.code != 0)
    throw base::environment_error({.what = cat("lm-evaluation-harness ended with exit code ", result.code), .where = text, .remedy = "its own message stands above"});
  return {record, cat("results: ", options.out_dir, "\n")};
}

}  // namespace picochat::eval
