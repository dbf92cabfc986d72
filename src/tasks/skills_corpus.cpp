// `data skills-corpus`: drills for pretraining.
#include "picochat/tasks/skills_corpus.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <unordered_set>

#include "picochat/base/digest.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/corpus/shard_writer.hpp"
#include "tasks/skills/families.hpp"

namespace picochat::tasks {
namespace {

using base::cat;
using base::Json;
using base::Path;

constexpr const char* kMath = "skills_math";
constexpr const char* kSpelling = "skills_spelling";
constexpr const char* kChoice = "skills_choice";
constexpr const char* kFacts = "skills_facts";
constexpr int64_t kAttempts = 12;  // draws before a repeated drill is let through

// Operands uniform over 0 to 999 (factors over 2 to 12); a problem of the eval side is drawn again.
std::string math_drill(base::Random& random, int64_t index) {
  static constexpr const char* kAdd[] = {"{a} + {b} = {r}.", "The sum of {a} and {b} is {r}.", "{a} plus {b} is {r}.", "Adding {b} to {a} gives {r}."};
  static constexpr const char* kSubtract[] = {"{a} - {b} = {r}.", "{a} minus {b} is {r}.", "Taking {b} from {a} leaves {r}.", "The difference of {a} and {b} is {r}."};
  static constexpr const char* kMultiply[] = {"{a} x {b} = {r}.", "{a} times {b} is {r}.", "{b} groups of {a} are {r}.", "The product of {a} and {b} is {r}."};
  static constexpr const char* kRemove[] = {"{a} x {b} - {c} = {r}.", "{a} times {b}, less {c}, is {r}.", "From {a} rows of {b}, {c} are removed: {r} remain.",
                                            "Multiply {a} by {b} and take away {c}: {r}."};
  Problem p;
  do {
    p.operation = static_cast<Operation>(index % 5 == 4 ? index / 5 % 2 : index % 5);
    p.a = random.between(0, 999);
    p.b = random.between(0, 999);
    if (p.operation == Operation::kSubtract && p.a < p.b) std::swap(p.a, p.b);
    if (p.operation == Operation::kMultiply || p.operation == Operation::kRemove) {
      p.a = random.between(2, 12);
      p.b = random.between(2, 12);
    }
    if (p.operation == Operation::kRemove) p.c = random.between(1, std::min<int64_t>(30, p.a * p.b - 1));
  } while (p.is_held_out());
  // Every fifth drill shows the column work of a sum or a difference.
  if (index % 5 == 4) {
    const char* sign = p.operation == Operation::kAdd ? " + " : " - ";
    std::string out = cat("Work for ", p.a, sign, p.b, ".");
    for (const std::string& line : column_work(p)) out += cat(" ", line);
    return cat(out, " So ", p.a, sign, p.b, " = ", p.answer(), ".");
  }
  const auto& wordings = p.operation == Operation::kAdd ? kAdd : p.operation == Operation::kSubtract ? kSubtract
                       : p.operation == Operation::kMultiply ? kMultiply : kRemove;
  return fill(pick(random, wordings), {{"a", cat(p.a)}, {"b", cat(p.b)}, {"c", cat(p.c)}, {"r", cat(p.answer())}});
}

// A word that is none, of one to three syllables: its letters cannot be known by heart, only read.
std::string invented_word(base::Random& random) {
  static constexpr const char* kBegin[] = {"b", "br", "c", "cl", "d", "dr", "f", "fl", "g", "gr", "h", "j", "k", "l", "m", "n",
                                           "p", "pl", "qu", "r", "s", "sh", "st", "t", "tr", "th", "v", "w", "y", "z", ""};
  static constexpr const char* kMiddle[] = {"a", "e", "i", "o", "u", "ai", "ea", "ee", "io", "oo", "ou", "y"};
  static constexpr const char* kEnd[] = {"", "", "b", "ck", "d", "ft", "g", "l", "ll", "m", "n", "nd", "p", "r", "rt", "s", "ss", "st", "t", "w", "x"};
  static const std::unordered_set<std::string> asked(spelling_words(Side::kEval).begin(), spelling_words(Side::kEval).end());
  for (;;) {
    std::string out;
    const uint64_t syllables = 1 + random.below(3);
    for (uint64_t i = 0; i < syllables; ++i) {
      out += pick(random, kBegin);
      out += pick(random, kMiddle);
      out += pick(random, kEnd);
    }
    if (out.size() >= 3 && out.size() <= 10 && !asked.contains(out)) return out;
  }
}

std::string spelling_drill(base::Random& random, int64_t index) {
  struct Mode {
    const char* mode;
    const char* wordings[3];
  };
  static constexpr Mode kModes[] = {
      {"spaced", {"The letters of {w} are {r}.", "{w} is spelled {r}.", "Letter by letter, {w} goes {r}."}},
      {"reverse", {"{w} backwards is {r}.", "From its end to its start {w} reads {r}.", "The reverse of {w} is {r}."}},
      {"count", {"{w} has {r} letters.", "There are {r} letters in {w}.", "The word {w} is {r} letters long."}},
      {"first", {"{w} starts with {r}.", "The first letter of {w} is {r}.", "At the front of {w} stands {r}."}},
      {"last", {"{w} ends with {r}.", "The last letter of {w} is {r}.", "At the end of {w} stands {r}."}},
      {"numbered", {"Count {w}: {r}.", "The numbered letters of {w}: {r}.", "{w}, counted: {r}."}},
  };
  const Mode& mode = kModes[index % 6];
  const std::string word = random.below(2) == 0 ? pick(random, spelling_words(Side::kTrain)) : invented_word(random);
  std::string result;
  if (std::string_view(mode.mode) == "numbered") {
    for (size_t i = 0; i < word.size(); ++i) result += cat(i ? ", " : "", i + 1, " ", word[i]);
  } else {
    result = spelling_answer(mode.mode, word);
  }
  return fill(pick(random, mode.wordings), {{"w", word}, {"r", result}});
}

std::string letter(size_t i) { return std::string(1, static_cast<char>('A' + i)); }

// "A: Oslo, B: Rome, ...", in one of several ways, on one line.
std::string under_letters(base::Random& random, const std::vector<std::string>& options) {
  static constexpr const char* kMarks[] = {": ", ") ", ". "};
  static constexpr const char* kJoints[] = {", ", "; ", " "};
  const char *mark = pick(random, kMarks), *joint = pick(random, kJoints);
  std::string out;
  for (size_t i = 0; i < options.size(); ++i) out += cat(i > 0 ? joint : "", letter(i), mark, options[i]);
  return out;
}

// Four answers under their letters, then which is which: to find the letter of an answer is a skill of its own.
std::string letters_drill(base::Random& random) {
  static constexpr const char* kWays[] = {"{t} is {l}", "{l} is {t}", "{t}: {l}", "the letter of {t} is {l}"};
  std::vector<std::string> options;
  while (options.size() < 4) {
    const Fact& fact = pick(random, facts(Side::kTrain));
    std::string text = random.below(4) == 0 ? pick(random, fact.wrong) : random.below(4) == 0 ? pick(random, spelling_words(Side::kTrain)) : fact.answer;
    if (std::find(options.begin(), options.end(), text) == options.end()) options.push_back(std::move(text));
  }
  std::vector<size_t> order{0, 1, 2, 3};
  random.shuffle(std::span<size_t>(order));
  std::string out = under_letters(random, options);
  const char* way = pick(random, kWays);
  for (size_t i = 0; i < 4; ++i) out += cat(i == 0 ? ". " : ", ", fill(way, {{"t", options[order[i]]}, {"l", letter(order[i])}}));
  return out + ".";
}

std::string choice_drill(base::Random& random) {
  if (random.below(2) == 0) return letters_drill(random);
  // Half of the endings name the answer first: to find its letter is then a matter of looking it up among the four.
  static constexpr const char* kEndings[] = {"Answer: {l}, {t}.", "The right one is {l}: {t}.", "{l} is right: {t}.", "It is {t}, so {l}.", "Answer: {t}, which is {l}.", "{t} is right: {l}."};
  const Fact& fact = pick(random, facts(Side::kTrain));
  std::vector<std::string> options = fact.wrong;
  random.shuffle(std::span<std::string>(options));
  options.resize(3);
  size_t right = random.below(4);
  options.insert(options.begin() + static_cast<std::ptrdiff_t>(right), fact.answer);
  std::string out = question_of(fact, Side::kTrain, random.below(8)) + " ";
  out += under_letters(random, options);
  return cat(out, ". ", fill(pick(random, kEndings), {{"l", letter(right)}, {"t", fact.answer}}));
}

// A handful of facts of either side, told.
std::string fact_drill(base::Random& random) {
  static const std::vector<Fact> all = [] {
    std::vector<Fact> out = facts(Side::kTrain);
    out.insert(out.end(), facts(Side::kEval).begin(), facts(Side::kEval).end());
    return out;
  }();
  std::string out;
  for (int i = 0; i < 5; ++i) {
    const Fact& fact = pick(random, all);
    out += cat(i ? " " : "", statement_of(fact, random.below(8)));
  }
  return out;
}

// Shards of an earlier call; whatever else the folder holds stays.
void remove_shards(base::FileSystem& files, const Path& folder) {
  if (!std::filesystem::exists(folder)) return;
  std::vector<Path> shards;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (base::glob_match("shard-*.jsonl", entry.path().filename().string())) shards.push_back(entry.path());
  }
  for (const Path& shard : shards) files.remove_all(shard);
}

void write_recipe(base::FileSystem& files, const SkillsCorpusOptions& options) {
  Path recipe(*options.recipe_out);
  Path folder = std::filesystem::absolute(recipe).lexically_normal().parent_path();
  auto named = [&](const Path& path) {
    Path relative = std::filesystem::absolute(path).lexically_normal().lexically_relative(folder);
    return relative.empty() ? std::filesystem::absolute(path).string() : relative.string();
  };
  Json sources = Json::array();
  if (options.base_corpus) sources.push_back({{"path", named(*options.base_corpus)}, {"label", "base"}});
  sources.push_back({{"path", named(options.documents_dir ? *options.documents_dir : options.out)}, {"label", "skills"}});
  Json json = {{"name", "skills-corpus"}, {"description", "Arithmetic, spelling and choice drills generated by picochat."},
               {"sources", sources}, {"exclude", {"**/.DS_Store", "**/.git/**", "**/__pycache__/**"}}};
  if (recipe.has_parent_path()) files.make_directories(recipe.parent_path());
  base::write_file(files, recipe, base::dump(json) + "\n");
}

std::string markdown(const Json& report) {
  std::string out = cat("# Skills corpus\n\n", report["total_rows"].get<int64_t>(), " drills, ", report["characters_written"].get<int64_t>(),
                        " characters, seed ", report["seed"].get<int64_t>(), ", in `", report["output_path"].get<std::string>(), "`.\n\n| category | drills |\n| --- | ---: |\n");
  for (const auto& [category, count] : report["categories"].items()) out += cat("| ", category, " | ", count.get<int64_t>(), " |\n");
  out += cat("\nHeld out, so never asked or used in a drill: ", report["heldout_words_excluded"].get<int64_t>(), " words, ", report["heldout_facts_excluded"].get<int64_t>(),
             " facts, and a fifth of all arithmetic problems.\n");
  if (const int64_t told = report["heldout_facts_stated"].get<int64_t>())
    out += cat("Those facts are told all the same, as statements in words that no question uses (rows skills_facts): ", told, " held-out facts. A choice score is then of told knowledge, not of knowledge found in text.\n");
  return out;
}

}  // namespace

void for_each_drill(const DrillRows& rows, uint64_t seed, const std::function<void(std::string_view, std::string_view)>& drill) {
  const auto total = static_cast<uint64_t>(rows.math + rows.spelling + rows.choice + rows.facts);
  if (total == 0) return;
  const int64_t words = rows.math, choices = words + rows.spelling, told = choices + rows.choice;  // where each kind begins
  // A permutation orders the drills; each is a function of its own number and of how often what it drew was already
  // there. A family with few different drills (small products, short words) hands its turn to the next kind.
  base::Permutation order(total, seed);
  std::unordered_set<uint64_t> seen;
  for (uint64_t position = 0; position < total; ++position) {
    const auto index = static_cast<int64_t>(order(position));
    std::string text;
    for (int64_t attempt = 0; attempt < kAttempts; ++attempt) {
      base::Random random(seed, "tasks.skills_corpus", static_cast<uint64_t>(index) << 20 | static_cast<uint64_t>(attempt) << 14);
      if (index < words) text = math_drill(random, index + attempt);
      else if (index < choices) text = spelling_drill(random, index - words + attempt);
      else if (index < told) text = choice_drill(random);
      else text = fact_drill(random);
      if (seen.insert(base::hash64(text)).second) break;
    }
    drill(text, index < words ? kMath : index < choices ? kSpelling : index < told ? kChoice : kFacts);
  }
}

const base::OptionTable<SkillsCorpusOptions>& skills_corpus_options() {
  static const auto table = [] {
    using O = SkillsCorpusOptions;
    base::OptionTable<O> out;
    out.add("out", &O::out, "the corpus: one drill a line; with --documents-dir, where the report goes beside").must().metavar = "PATH";
    out.add("math_rows", &O::math_rows, "arithmetic drills").at_least(0);
    out.add("spelling_rows", &O::spelling_rows, "spelling drills").at_least(0);
    out.add("choice_rows", &O::choice_rows, "choice drills").at_least(0);
    out.add("fact_rows", &O::fact_rows, "rows of five facts told as statements, held-out facts too; no question's wording").at_least(0);
    out.add("seed", &O::seed, "another seed gives other drills; what is held out stays").at_least(0);
    out.add("force", &O::force, "overwrite an earlier corpus");
    out.add("json", &O::json, "print the report as JSON");
    out.add("base_corpus", &O::base_corpus, "a corpus to put first in the recipe").metavar = "PATH";
    out.add("recipe_out", &O::recipe_out, "write a corpus recipe that names the drills").metavar = "PATH";
    out.add("documents_dir", &O::documents_dir, "write shard-NNNNNN.jsonl files, a drill a document").metavar = "DIR";
    out.add("rows_per_shard", &O::rows_per_shard, "drills in a shard").at_least(1);
    return out;
  }();
  return table;
}

corpus::CommandOutput run_skills_corpus(base::FileSystem& files, const SkillsCorpusOptions& options) {
  Path out(options.out);
  Path report_path = out.parent_path() / (out.stem().string() + ".report.md");
  Path json_path = out.parent_path() / (out.stem().string() + ".report.json");
  std::vector<std::string> existing;
  for (const Path& path : {out, report_path}) if (std::filesystem::exists(path)) existing.push_back(path.string());
  if (options.documents_dir && std::filesystem::exists(*options.documents_dir) && !std::filesystem::is_empty(*options.documents_dir)) {
    existing.push_back(*options.documents_dir);
  }
  if (options.recipe_out && std::filesystem::exists(*options.recipe_out)) existing.push_back(*options.recipe_out);
  if (!existing.empty() && !options.force) {
    throw base::bad_input({.what = "files of an earlier call are in the way", .where = base::join(existing, ", "), .remedy = "--force overwrites them"});
  }
  if (options.math_rows + options.spelling_rows + options.choice_rows + options.fact_rows == 0) {
    throw base::usage_error({.what = "no drills were asked for", .remedy = "give --math-rows, --spelling-rows, --choice-rows or --fact-rows"});
  }

  std::map<std::string, int64_t> categories;
  int64_t characters = 0, shards = 0;
  std::string text;
  std::unique_ptr<corpus::DocumentShardWriter> writer;
  if (options.documents_dir) {
    remove_shards(files, *options.documents_dir);
    writer = std::make_unique<corpus::DocumentShardWriter>(
        files, corpus::DocumentShardWriter::Options{.folder = *options.documents_dir, .rows_per_shard = options.rows_per_shard});
  }
  int64_t row = 0;
  for_each_drill({options.math_rows, options.spelling_rows, options.choice_rows, options.fact_rows}, static_cast<uint64_t>(options.seed),
                 [&](std::string_view drill, std::string_view category) {
                   ++categories[std::string(category)];
                   characters += static_cast<int64_t>(drill.size()) + 1;  // all ASCII
                   if (writer) {
                     Json extra = {{"category", std::string(category)}};
                     writer->add({.id = cat("skill-", row), .text = drill, .extra = &extra});
                   } else {
                     text.append(drill);
                     text += '\n';
                   }
                   ++row;
                 });
  if (out.has_parent_path()) files.make_directories(out.parent_path());
  if (writer) shards = static_cast<int64_t>(writer->finish().size());
  else base::write_file(files, out, text);
  if (options.recipe_out) write_recipe(files, options);

  auto name = [](const std::optional<std::string>& path) { return path ? Json(*path) : Json(nullptr); };
  Json report = {{"output_path", writer ? *options.documents_dir : options.out}, {"report_path", report_path.string()},
                 {"recipe_path", name(options.recipe_out)}, {"base_corpus", name(options.base_corpus)}, {"total_rows", row},
                 {"categories", categories}, {"characters_written", characters}, {"seed", options.seed},
                 {"heldout_words_excluded", spelling_words(Side::kEval).size()}, {"heldout_facts_excluded", facts(Side::kEval).size()},
                 {"heldout_facts_stated", options.fact_rows > 0 ? facts(Side::kEval).size() : 0},
                 {"documents_dir", name(options.documents_dir)}, {"num_shards", shards}, {"rows_per_shard", options.rows_per_shard}};
  base::write_file(files, report_path, markdown(report));
  base::write_file(files, json_path, base::dump(report) + "\n");
  std::string summary = cat("total_rows: ", row, "\ncharacters_written: ", characters, "\noutput: ", report["output_path"].get<std::string>(), "\n");
  for (const auto& [category, count] : categories) summary += cat(category, ": ", count, "\n");
  return {report, summary + cat("report: ", report_path.string(), "\n")};
}

}  // namespace picochat::tasks
