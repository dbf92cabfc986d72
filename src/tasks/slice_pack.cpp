#include "picochat/tasks/slice_pack.hpp"

#include <algorithm>
#include <map>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/corpus/commands.hpp"
#include "picochat/corpus/pack.hpp"
#include "picochat/tasks/rows.hpp"

namespace picochat::tasks {
namespace {

namespace fs = std::filesystem;
using base::cat;
using base::Json;
using base::Path;

struct Stage {
  const char* name;
  const char* include;
};
constexpr Stage kStages[] = {{"behavior", "identity,refusal"}, {"choice", "bench_choice_*"}, {"math", "bench_math_*"},
                             {"spelling", "bench_spelling_*"}, {"skills", "bench_math_*,bench_spelling_*"}};

std::vector<std::string> patterns_of(const std::string& list) {
  std::vector<std::string> patterns;
  for (const auto& part : base::split(list, ','))
    if (!base::trim(part).empty()) patterns.emplace_back(base::trim(part));
  return patterns;
}

bool any_match(const std::vector<std::string>& patterns, const std::string& category) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) { return base::glob_match(pattern, category); });
}

// Rows of the chosen categories, and how many there are of each.
template <typename Row>
struct Selected {
  std::vector<Row> rows;
  std::map<std::string, int64_t> categories, left_out;
};

template <typename Row>
Selected<Row> select(const std::vector<Row>& rows, const std::vector<std::string>& include, const std::vector<std::string>& exclude) {
  Selected<Row> out;
  for (const Row& row : rows) {
    const bool in = (include.empty() || any_match(include, row.category)) && !any_match(exclude, row.category);
    ++(in ? out.categories : out.left_out)[row.category];
    if (in) out.rows.push_back(row);
  }
  return out;
}

template <typename Row>
void require_rows(const Selected<Row>& selected, const char* what, const Path& path) {
  if (!selected.rows.empty()) return;
  std::vector<std::string> there;
  for (const auto& [category, count] : selected.left_out) there.push_back(cat(category, " (", count, ")"));
  throw base::bad_input({.what = cat("no ", what, " row is of the chosen categories"), .where = path.string(), .found = "categories " + base::join(there, ", "),
                         .remedy = "patterns are compared with upper and lower case; quote them from the shell: 'bench_math_*'"});
}

Path relative_to(const Path& path, const Path& folder) {
  const Path relative = fs::absolute(path).lexically_normal().lexically_relative(fs::absolute(folder).lexically_normal());
  return relative.empty() ? fs::absolute(path).lexically_normal() : relative;
}

void refuse_overwriting(const Path& folder, bool force, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (!force && fs::exists(folder / name))
      throw base::bad_input({.what = "the folder holds files of an earlier call", .where = (folder / name).string(), .remedy = "name another --out-dir, or overwrite them with --force"});
}

std::string count_lines(const Json& chat, const Json& eval) {
  std::string out = "| category | chat | eval |\n| --- | ---: | ---: |\n";
  Json keys = chat;
  keys.update(eval);
  for (const auto& [key, unused] : keys.items()) out += cat("| ", key, " | ", chat.value(key, int64_t{0}), " | ", eval.value(key, int64_t{0}), " |\n");
  return out;
}

// A slice that is worked out and not yet written.
struct Slice {
  Path folder;
  std::string chat, eval;
  Json pack, report;
};

Slice make_slice(const SlicePackOptions& options) {
  const corpus::Pack pack = corpus::load_pack(options.dataset_pack);
  corpus::check_pack_files(pack);
  const auto include = patterns_of(options.include_categories), exclude = patterns_of(options.exclude_categories);
  if (include.empty() && exclude.empty())
    throw base::usage_error({.what = "no category is chosen", .expected = "--include-categories or --exclude-categories with a pattern", .remedy = "for example --include-categories 'bench_math_*'"});
  const auto chat = select(read_chat_rows(pack.chat), include, exclude);
  const auto eval = select(read_eval_rows(pack.eval), include, exclude);
  require_rows(chat, "chat", pack.chat);
  require_rows(eval, "eval", pack.eval);

  Slice slice;
  slice.folder = options.out_dir;
  slice.chat = to_jsonl(std::span<const ChatRow>(chat.rows));
  slice.eval = to_jsonl(std::span<const EvalRow>(eval.rows));
  const std::string source = relative_to(pack.file, slice.folder).generic_string();
  const Json rules = {{"include_categories", include}, {"exclude_categories", exclude}};
  slice.pack = {{"name", options.name.value_or(pack.name + "-slice")},
                {"description", options.description.value_or(cat("Rows of ", pack.name, " by category"))},
                {"corpus", {{pack.input ? "input" : "recipe", relative_to(pack.input ? *pack.input : *pack.recipe, slice.folder).generic_string()}}},
                {"chat", "chat_slice.jsonl"},
                {"eval", "eval_slice.jsonl"},
                {"source_dataset_pack", source},
                {"slice", rules}};
  slice.report = {{"command", "slice-pack"}, {"source_dataset_pack", source}, {"slice", rules},
                  {"chat_rows", chat.rows.size()}, {"eval_rows", eval.rows.size()},
                  {"chat_categories", chat.categories}, {"eval_categories", eval.categories},
                  {"chat_categories_left_out", chat.left_out}, {"eval_categories_left_out", eval.left_out}};
  return slice;
}

void write_slice(base::FileSystem& files, const Slice& slice) {
  files.make_directories(slice.folder);
  base::write_file(files, slice.folder / "chat_slice.jsonl", slice.chat);
  base::write_file(files, slice.folder / "eval_slice.jsonl", slice.eval);
  base::write_file(files, slice.folder / "tuning_slice.json", base::dump(slice.report) + "\n");
  base::write_file(files, slice.folder / "tuning_slice.md",
                   cat("# ", slice.pack["name"].get<std::string>(), "\n\nFrom `", slice.report["source_dataset_pack"].get<std::string>(), "`: ",
                       slice.report["chat_rows"].get<int64_t>(), " chat rows, ", slice.report["eval_rows"].get<int64_t>(), " eval rows.\n\n",
                       count_lines(slice.report["chat_categories"], slice.report["eval_categories"])));
  base::write_file(files, slice.folder / "dataset_pack.json", base::dump(slice.pack) + "\n");  // last: it names the others
}

std::string slice_text(const Slice& slice) {
  return cat(slice.folder.string(), ": ", slice.report["chat_rows"].get<int64_t>(), " chat rows, ", slice.report["eval_rows"].get<int64_t>(), " eval rows\n");
}

std::string next_command(const Path& folder) {
  return cat("picochat data preview --dataset-pack ", corpus::shell_quoted((folder / "dataset_pack.json").string()));
}

}  // namespace

const base::OptionTable<SlicePackOptions>& slice_pack_options() {
  static const base::OptionTable<SlicePackOptions> table = [] {
    base::OptionTable<SlicePackOptions> t;
    t.add("dataset_pack", &SlicePackOptions::dataset_pack, "the pack to take rows from").alias("--pack").must().metavar = "PACK";
    t.add("out_dir", &SlicePackOptions::out_dir, "folder of the new pack").must().metavar = "DIR";
    t.add("include_categories", &SlicePackOptions::include_categories, "comma list of category patterns to take (none: all)").metavar = "LIST";
    t.add("exclude_categories", &SlicePackOptions::exclude_categories, "comma list of category patterns to leave out").metavar = "LIST";
    t.add("name", &SlicePackOptions::name, "name of the new pack");
    t.add("description", &SlicePackOptions::description, "one line about it");
    t.add("force", &SlicePackOptions::force, "overwrite the files of an earlier call");
    t.add("json", &SlicePackOptions::json, "print JSON");
    return t;
  }();
  return table;
}

base::CommandOutput run_slice_pack(base::FileSystem& files, const SlicePackOptions& options) {
  const Slice slice = make_slice(options);
  refuse_overwriting(slice.folder, options.force, {"dataset_pack.json", "chat_slice.jsonl", "eval_slice.jsonl"});
  write_slice(files, slice);
  base::CommandOutput output{.json = slice.report, .text = slice_text(slice)};
  output.json["next_command"] = next_command(slice.folder);
  output.text += cat("next: ", next_command(slice.folder), "\n");
  return output;
}

const base::OptionTable<StagePackOptions>& stage_pack_options() {
  static const base::OptionTable<StagePackOptions> table = [] {
    base::OptionTable<StagePackOptions> t;
    t.add("dataset_pack", &StagePackOptions::dataset_pack, "the pack to take rows from").alias("--pack").must().metavar = "PACK";
    t.add("out_dir", &StagePackOptions::out_dir, "folder with a folder for each stage").must().metavar = "DIR";
    t.add("stages", &StagePackOptions::stages, "comma list of behavior, choice, math, spelling, skills").metavar = "LIST";
    t.add("force", &StagePackOptions::force, "overwrite the files of an earlier call");
    t.add("json", &StagePackOptions::json, "print JSON");
    return t;
  }();
  return table;
}

base::CommandOutput run_stage_pack(base::FileSystem& files, const StagePackOptions& options) {
  std::vector<std::string> known;
  for (const Stage& stage : kStages) known.push_back(stage.name);
  const auto wanted = patterns_of(options.stages);
  if (wanted.empty()) throw base::usage_error({.what = "--stages names no stage", .expected = base::join(known, ", ")});
  const Path folder = options.out_dir;
  refuse_overwriting(folder, options.force, {"staged_tuning_pack.json"});

  std::vector<Slice> slices;  // all of them before the first byte is written
  for (const std::string& name : wanted) {
    const auto stage = std::find_if(std::begin(kStages), std::end(kStages), [&](const Stage& candidate) { return name == candidate.name; });
    if (stage == std::end(kStages)) {
      const std::string near = base::closest(name, known);
      throw base::usage_error({.what = cat("\"", name, "\" is no stage"), .where = "--stages", .expected = base::join(known, ", "), .remedy = near.empty() ? "" : cat("did you mean \"", near, "\"?")});
    }
    slices.push_back(make_slice({.dataset_pack = options.dataset_pack, .out_dir = (folder / name).string(), .include_categories = stage->include, .name = name}));
  }
  base::CommandOutput output{.json = {{"command", "stage-pack"}, {"dataset_pack", relative_to(options.dataset_pack, folder).generic_string()}, {"stages", Json::array()}}};
  std::string table = "| stage | chat rows | eval rows |\n| --- | ---: | ---: |\n";
  for (size_t i = 0; i < slices.size(); ++i) {
    refuse_overwriting(slices[i].folder, options.force, {"dataset_pack.json"});
    write_slice(files, slices[i]);
    Json stage = slices[i].report;
    stage["stage"] = wanted[i];
    stage["dataset_pack"] = wanted[i] + "/dataset_pack.json";
    table += cat("| ", wanted[i], " | ", stage["chat_rows"].get<int64_t>(), " | ", stage["eval_rows"].get<int64_t>(), " |\n");
    output.json["stages"].push_back(std::move(stage));
    output.text += slice_text(slices[i]);
  }
  base::write_file(files, folder / "staged_tuning_pack.md", "# Staged tuning pack\n\nTrain the stages in this order, each from the checkpoint of the one before.\n\n" + table);
  base::write_file(files, folder / "staged_tuning_pack.json", base::dump(output.json) + "\n");
  output.json["next_command"] = next_command(slices[0].folder);
  output.text += cat("next: ", next_command(slices[0].folder), "\n");
  return output;
}

}  // namespace picochat::tasks
