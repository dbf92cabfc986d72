#include "picochat/exporter/export_hf.hpp"

#include "exporter/card_sections.hpp"
#include "exporter/compare.hpp"
#include "exporter/hf_files.hpp"
#include "exporter/license.hpp"
#include "exporter/model_card.hpp"
#include "exporter/push.hpp"
#include "exporter/release_manifest.hpp"
#include "exporter/verify_python.hpp"
#include "exporter/weights_writer.hpp"
#include "picochat/base/build_info.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/eval/language_model.hpp"
#include "picochat/evidence/run_files.hpp"
#include "picochat/tokenizer/tokenizer.hpp"

namespace picochat::exporter {
namespace {

using base::cat;
using base::Json;
using base::Path;

struct Job {
  const ExportHfOptions& options;
  at::ScalarType dtype;
  uint64_t max_shard_bytes;
  CheckpointSource source;
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer;
  std::string tokenizer_json;
  RunEvidence evidence;
  HfClass hf;
  Path out_dir;
  bool replaces;  // an earlier export of ours
  std::string model_name;
};

void require_disk_space(const Path& out_dir, uint64_t needed) {
  Path existing = std::filesystem::absolute(out_dir);
  while (!existing.empty() && !std::filesystem::exists(existing) && existing != existing.parent_path()) existing = existing.parent_path();
  std::error_code error;
  const auto space = std::filesystem::space(existing, error);
  if (!error && space.available < needed)
    throw base::environment_error({.what = "not enough space on the disk", .where = out_dir.string(), .expected = base::human_bytes(needed),
                                   .found = base::human_bytes(space.available) + " free", .remedy = "free some space, or choose another --out-dir or --dtype bfloat16"});
}

// Everything but the checks of where it goes.
Job load(const ExportHfOptions& options) {
  const auto dtype = parse_dtype(options.dtype);
  const uint64_t max_shard = parse_size(options.max_shard_size, "--max-shard-size");
  const Path out_dir = Path(options.out_dir).lexically_normal();
  CheckpointSource source(options.checkpoint);
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer = tokenizer::load_tokenizer(options.tokenizer);
  eval::require_tokenizer_of_checkpoint(*tokenizer, options.tokenizer, source.config(), source.metadata(), options.checkpoint);
  std::string tokenizer_json = base::read_file(options.tokenizer);
  RunEvidence evidence = find_evidence(options.checkpoint, source.digest(), base::sha256(tokenizer_json));
  const HfClass hf = hf_class(source.config());
  const Path name = out_dir.filename().empty() ? out_dir.parent_path().filename() : out_dir.filename();
  return {.options = options, .dtype = dtype, .max_shard_bytes = max_shard, .source = std::move(source), .tokenizer = std::move(tokenizer),
          .tokenizer_json = std::move(tokenizer_json), .evidence = std::move(evidence), .hf = hf, .out_dir = out_dir, .replaces = false, .model_name = options.model_name.value_or(name.string())};
}

Job prepare(const ExportHfOptions& options) {
  check_license(options.license.value_or(""));
  check_push_flags(options);
  const Path out_dir = Path(options.out_dir).lexically_normal();
  const bool replaces = check_replaceable(out_dir);
  if (options.verify_with_python) require_python(options.python);
  Job job = load(options);
  job.replaces = replaces;
  require_disk_space(out_dir, static_cast<uint64_t>(job.source.config().parameter_count() * dtype_bytes(job.dtype)) + (16u << 20));
  return job;
}

CardFacts card_of(const Job& job, const Comparison& comparison) {
  const auto& options = job.options;
  return {.model_name = job.model_name, .license = options.license.value_or("not-chosen"), .dataset_summary = options.dataset_summary.value_or(""),
          .eval_summary = options.eval_summary.value_or(""), .config = job.source.config(), .hf = job.hf, .dtype = options.dtype,
          .tokenizer_type = job.tokenizer->type(), .metadata = job.source.metadata(), .checkpoint = job.source.digest(),
          .tokenizer = base::sha256(job.tokenizer_json), .evidence = job.evidence, .comparison = comparison};
}

void write_small_files(base::FileSystem& files, const Job& job, const Path& folder) {
  auto small = hf_files(job.source.config(), job.hf, job.options.dtype, *job.tokenizer);
  small["tokenizer.json"] = job.tokenizer_json;  // byte for byte
  for (const auto& [name, content] : small) base::write_file(files, folder / name, content);
}

void copy_evidence(base::FileSystem& files, const Job& job, const Path& folder) {
  for (const auto& name : job.evidence.files) base::write_file(files, folder / "evidence" / name, base::read_file(*job.evidence.run_dir / name));
  for (const auto& [name, content] : eval_results(job.evidence.summary)) base::write_file(files, folder / ".eval_results" / name, content);
}

Json limitations(const Job& job) {
  Json out = Json::array({"the context is " + cat(job.source.config().context_size) + " tokens"});
  if (needs_remote_code(job.hf)) out.push_back("no stock class has this block: loading needs trust_remote_code=True, and llama.cpp has no architecture for it");
  if (job.hf == HfClass::kCohere2Moe) out.push_back("Cohere2MoeForCausalLM needs transformers 5");
  if (job.evidence.verdict.status != "approved") out.push_back("the release gate did not approve this model");
  return out;
}

// `comparison` is null where only the small files were written.
Json manifest(const Job& job, const Json& comparison, const Json& python, Json digests) {
  const auto& metadata = job.source.metadata();
  auto recorded = [&](const char* key) { return metadata.contains(key) ? metadata.at(key) : Json(nullptr); };
  const auto& verdict = job.evidence.verdict;
  return {{"format", kReleaseFormat}, {"version", 1}, {"model_name", job.model_name},
          {"license", job.options.license ? Json(*job.options.license) : Json(nullptr)},
          {"architecture", {{"class", class_name(job.hf)}, {"model_type", model_type(job.hf)}, {"remote_code", needs_remote_code(job.hf)},
                            {"parameters", job.source.config().parameter_count()}, {"dtype", dtype_text(job.dtype)}}},
          {"checkpoint", {{"sha256", job.source.digest().hex()}, {"stage", recorded("stage")}, {"step", recorded("step")}}},
          {"tokenizer", {{"sha256", base::sha256(job.tokenizer_json).hex()}, {"type", job.tokenizer->type()}, {"vocab_size", job.tokenizer->vocab_size()}}},
          {"release_gate", {{"status", verdict.status}, {"profile", verdict.gate.is_object() ? verdict.gate.value("profile", Json()) : Json()}, {"reason", verdict.reason}}},
          {"verification", {{"read_back", comparison}, {"transformers", python}}},
          {"limitations", limitations(job)}, {"build", base::build_info_json()}, {"files", std::move(digests)}};
}

std::string text_for_people(const Job& job, const Comparison& comparison, const Json& python) {
  const auto& verdict = job.evidence.verdict;
  std::string out = cat("exported: ", job.out_dir.string(), "\nmanifest: ", (job.out_dir / kReleaseManifest).string(), "\nmodel_card: ", (job.out_dir / "README.md").string(), "\n");
  out += cat("loads as: ", class_name(job.hf), needs_remote_code(job.hf) ? ", trust_remote_code=True" : ", no remote code", "\n");
  out += cat("compared: ", comparison.blocks, " blocks", comparison.whole_model ? " and the whole model" : "", " with the checkpoint, logits differ by at most ",
             comparison.largest_difference, "\n");
  if (python.is_object()) out += cat("transformers ", python.value("transformers", ""), ": every check passed\n");
  return out + cat("release gate: ", verdict.status, verdict.reason.empty() ? "" : ": ", verdict.reason, "\n");
}

}  // namespace

const base::OptionTable<ExportHfOptions>& export_hf_options() {
  static const auto table = [] {
    using O = ExportHfOptions;
    base::OptionTable<O> t;
    t.add("checkpoint", &O::checkpoint, "checkpoint folder, as runs/x/sft/checkpoint").must().metavar = "DIR";
    t.add("tokenizer", &O::tokenizer, "the tokenizer.json it was trained with").must().metavar = "FILE";
    t.add("out_dir", &O::out_dir, "folder to make; an earlier export there is replaced").must().metavar = "DIR";
    t.add("model_name", &O::model_name, "name in the model card; default: the folder's name").metavar = "NAME";
    t.add("license", &O::license, "licence of the weights, as mit or apache-2.0").must().metavar = "ID";
    t.add("dataset_summary", &O::dataset_summary, "what it was trained on, for the model card").metavar = "TEXT";
    t.add("eval_summary", &O::eval_summary, "how it was evaluated, for the model card").metavar = "TEXT";
    t.add("dtype", &O::dtype, "how weights are stored").choose({"float32", "bfloat16", "float16"});
    t.add("max_shard_size", &O::max_shard_size, "larger weights are split into several files").metavar = "SIZE";
    t.add("verify_with_python", &O::verify_with_python, "also load the result with transformers and compare");
    t.add("python", &O::python, "the Python for --verify-with-python").metavar = "PROGRAM";
    t.add("expected_out", &O::expected_out, "folder for the logits and texts that --verify-with-python compares with").hide().metavar = "DIR";
    t.add("push_to_hub", &O::push_to_hub, "then send it to the hub; needs a verdict of approved").in("Push");
    t.add("repo_id", &O::repo_id, "repository on the hub, made when it is not there").in("Push").metavar = "NAMESPACE/NAME";
    t.add("private", &O::make_private, "make the repository a private one").in("Push");
    t.add("token_env", &O::token_env, "variable that holds the token; default: HF_TOKEN, else the hub tools' token file").in("Push").metavar = "VARIABLE";
    t.add("revision", &O::revision, "branch, made when it is not there").in("Push").metavar = "BRANCH";
    t.add("commit_message", &O::commit_message, "first line of the commit").in("Push").metavar = "TEXT";
    t.add("as_blocked_research", &O::as_blocked_research, "push what the release gate did not approve; the card's first line says so").in("Push");
    t.add("dry_run", &O::dry_run, "export, then list what would go; nothing is changed on the hub").in("Push");
    t.add("fine_tuned", &O::fine_tuned, "").refuse("true", "the checkpoint records its stage: leave the flag out").hide();
    t.add("dynamic_int8", &O::dynamic_int8, "").refuse("true", "use picochat export gguf --dtype q8_0").hide();
    t.add("safetensors", &O::safetensors, "").refuse("false", "weights are written as safetensors only").hide();
    t.add("transformers_adapter", &O::transformers_adapter, "").refuse("false", "a modelling file is written only where no stock class fits: leave the flag out").hide();
    t.add("json", &O::json, "print the result as JSON");
    return t;
  }();
  return table;
}

base::CommandOutput export_hf(base::FileSystem& files, const ExportHfOptions& options) {
  const Job job = prepare(options);
  const Push push(options, job.evidence.verdict);
  if (job.evidence.verdict.status != "approved") base::say(cat("note: the release gate did not approve this checkpoint: ", job.evidence.verdict.reason));
  Json written;
  Comparison comparison;
  Json python;
  base::publish_directory(files, job.out_dir, [&](const Path& folder) {
    auto digests = write_weights(files, folder, job.source, hf_tensors(job.source.config(), rotates_pairs(job.hf)), job.dtype, job.max_shard_bytes);
    write_small_files(files, job, folder);
    copy_evidence(files, job, folder);
    comparison = compare_with_checkpoint(ExportedModel(folder), job.source, job.dtype);
    if (options.verify_with_python) python = verify_with_python({options.python, folder, job.dtype}, job.source, job.tokenizer);
    if (options.expected_out) write_expected(files, *options.expected_out, job.dtype, job.source, job.tokenizer);
    base::write_file(files, folder / "README.md", model_card(card_of(job, comparison)));
    written = manifest(job, comparison.to_json(), python, digest_files(folder, digests));
    base::write_file(files, folder / kReleaseManifest, base::dump(written) + "\n");
    if (job.replaces) base::remove_published(files, job.out_dir);
    else if (std::filesystem::exists(job.out_dir)) files.remove_all(job.out_dir);  // an empty folder
  });
  base::CommandOutput out{.json = {{"out_dir", job.out_dir.string()}, {"manifest", written}}, .text = text_for_people(job, comparison, python)};
  if (!push.wanted()) return out;
  base::say(cat("exported: ", job.out_dir.string(), "; sending it to ", *options.repo_id));
  auto sent = push.run(job.out_dir, written);
  out.json["push"] = std::move(sent.json);
  out.text += sent.text;
  return out;
}

void describe_export(base::FileSystem& files, const Path& run_dir, const Path& folder) {
  ExportHfOptions options;
  options.checkpoint = (run_dir / evidence::aligned_checkpoint(run_dir)).string();
  options.tokenizer = (run_dir / "tokenizer.json").string();
  options.out_dir = folder.string();
  options.model_name = std::filesystem::weakly_canonical(run_dir).filename().string();
  const Job job = load(options);
  write_small_files(files, job, folder);
  base::write_file(files, folder / "README.md", model_card(card_of(job, {})));
  base::write_file(files, folder / kReleaseManifest, base::dump(manifest(job, nullptr, nullptr, digest_files(folder, {}))) + "\n");
}

}  // namespace picochat::exporter
