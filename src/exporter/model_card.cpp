#include "exporter/model_card.hpp"

#include "exporter/card_sections.hpp"
#include "exporter/license.hpp"
#include "picochat/base/text.hpp"
#include "picochat/evidence/markdown.hpp"

namespace picochat::exporter {
namespace {

using base::cat;
using base::Json;

constexpr const char* kNotGiven = "Not given.";

std::string yaml_text(const std::string& text) { return base::dump(Json(text), -1); }  // a JSON string is a YAML string

// One entry of the hub's `model-index`; https://huggingface.co/docs/hub/model-cards#evaluation-results
std::string index_entry(const std::string& dataset, const std::string& metric, const Json& value, const Json& rows) {
  const std::string name = yaml_text(dataset);
  return cat("  - task:\n      type: text-generation\n    dataset:\n      name: ", name, "\n      type: ", yaml_text(base::lower_ascii(base::replace_all(dataset, " ", "-"))),
             "\n    metrics:\n    - type: ", metric, "\n      name: ", yaml_text(cat(metric, ", ", base::dump(rows, -1), " rows")), "\n      value: ", base::dump(value, -1), "\n      verified: false\n");
}

// Published benchmarks first, then what the gate measured on the run's own held-out rows; how well it knows the rows it was trained on is no result.
std::string model_index(const CardFacts& f) {
  const Json& gate = f.evidence.verdict.gate;
  std::string entries;
  if (gate.is_object()) {
    for (const auto& x : gate.value("external_eval_results", Json::array()))
      if (x.value("score", Json()).is_number()) entries += index_entry(x.value("name", ""), "accuracy", x.at("score"), x.value("num_examples", Json()));
    for (const auto& m : gate.value("measures", Json::array())) {
      const std::string name = m.value("name", "");
      if (!m.value("value", Json()).is_number() || name.starts_with("sft_fit") || name.starts_with("skill_release_sft_") || name.starts_with("external")) continue;
      entries += index_entry(cat("picochat ", name), m.value("rule", "") == "at_most" ? "rate" : "accuracy", m.at("value"), m.value("n", Json()));
    }
  }
  return entries.empty() ? "" : cat("model-index:\n- name: ", yaml_text(f.model_name), "\n  results:\n", entries);
}

std::string front_matter(const CardFacts& f) {
  std::string out = "---\n";
  if (hub_knows_license(f.license)) out += cat("license: ", f.license, "\n");
  else out += cat("license: other\nlicense_name: ", f.license, "\n");
  out += "library_name: transformers\npipeline_tag: text-generation\ntags:\n- picochat\n- small-language-model\n";
  out += cat("- release-gate-", base::replace_all(f.evidence.verdict.status, "_", "-"), "\n");
  if (const auto names = hub_datasets(f.evidence.summary); !names.empty()) {
    out += "datasets:\n";
    for (const auto& name : names) out += cat("- ", name, "\n");
  }
  return out + model_index(f) + cat("model_name: ", yaml_text(f.model_name), "\n---\n");
}

std::string architecture(const CardFacts& f) {
  const auto& c = f.config;
  const std::string positions = c.position_encoding == gate::PositionEncoding::kRope ? cat("rotary (base ", c.rope_base, ")") : "learned";
  const std::string head = c.tie_embeddings ? "tied to the embedding" : "its own matrix";
  return evidence::markdown_table(
      {"property", "value"},
      {{"parameters", base::grouped(c.parameter_count())}, {"layers, width", cat(c.n_layer, ", ", c.n_embd)},
       {"heads, key/value heads", cat(c.n_head, ", ", c.n_kv_head)}, {"MLP", cat(gate::to_text(c.activation), ", width ", c.ffn_dim())},
       {"norm", cat(gate::to_text(c.norm_type), c.qk_norm ? ", and of queries and keys" : "")},
       {"residual", c.parallel_residual ? "parallel: attention and MLP read one norm" : "sequential"}, {"positions", positions}, {"head", head},
       {"context", cat(c.context_size, " tokens")}, {"tokenizer", cat(f.tokenizer_type, ", ", base::grouped(c.vocab_size), " tokens")},
       {"stored as", f.dtype}, {"class", class_name(f.hf)}});
}

std::string loading(const CardFacts& f) {
  const bool remote = needs_remote_code(f.hf);
  const std::string trust = remote ? ", trust_remote_code=True" : "";
  std::string out = remote ? "No stock class of transformers has this block, so the modelling file in this folder (which needs nothing but torch and "
                             "transformers) comes with it:\n\n"
                           : cat("This is a stock `", class_name(f.hf), "`; no remote code is needed",
                                 f.hf == HfClass::kCohere2Moe ? " (transformers 5 or newer)" : "", ":\n\n");
  out += cat("```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\nfolder = \".\"\nmodel = AutoModelForCausalLM.from_pretrained(folder",
             trust, ")\ntokenizer = AutoTokenizer.from_pretrained(folder", trust, ")\n");
  out += "ids = tokenizer.apply_chat_template([{\"role\": \"user\", \"content\": \"What is 7+5?\"}],\n"
         "                                    add_generation_prompt=True, return_tensors=\"pt\", return_dict=False)\n"
         "reply = model.generate(ids)[0, ids.shape[1]:]\nprint(tokenizer.decode(reply, skip_special_tokens=True))\n```\n\n";
  out += "Text that people type can spell special tokens. Encode it with `split_special_tokens=True` where it must not open a turn.\n";
  return out;
}

std::string measured(const Json& gate) {
  if (!gate.is_object() || !gate.contains("measures") || gate.at("measures").empty()) return "";
  std::vector<std::vector<std::string>> rows;
  for (const auto& m : gate.at("measures")) {
    const std::string rule = cat(m.value("rule", "") == "at_most" ? "<= " : ">= ", evidence::percent(m.at("threshold")));
    rows.push_back({m.value("name", ""), evidence::percent(m.at("value"), m.at("ci")), cat(m.value("n", int64_t{0})), rule, m.value("result", "")});
  }
  std::string out = evidence::markdown_table({"measure", "value [95%]", "rows", "rule", "result"}, rows, "lrrll");
  if (gate.contains("weakest_category") && gate.at("weakest_category").is_string())
    out += cat("\nWeakest category: ", gate.at("weakest_category").get<std::string>(), "\n");
  return out + "\n";
}

std::string issues(const Json& gate) {
  if (!gate.is_object() || !gate.contains("issues") || gate.at("issues").empty()) return "";
  std::string out = "What the gate found:\n\n";
  for (const auto& issue : gate.at("issues"))
    out += cat("- ", issue.value("severity", ""), ": ", evidence::markdown_inline(issue.value("message", ""), 300), "\n");
  return out + "\n";
}

std::string training(const Json& metadata) {
  std::vector<std::vector<std::string>> rows;
  for (const char* key : {"stage", "step", "checkpoint_kind", "weights", "train_loss", "val_loss", "val_bpb", "val_bpb_stderr"})
    if (metadata.contains(key) && !metadata.at(key).is_null())
      rows.push_back({key, metadata.at(key).is_string() ? metadata.at(key).get<std::string>() : base::dump(metadata.at(key), -1)});
  return rows.empty() ? "" : evidence::markdown_table({"recorded with the checkpoint", "value"}, rows) + "\n";
}

std::string evidence_list(const RunEvidence& evidence, const char* prefix) {
  if (evidence.files.empty()) return "There is no evidence: " + evidence.verdict.reason + ".\n";
  std::string out = "Copied from the run, with digests in `release_manifest.json`:\n\n";
  for (const auto& file : evidence.files) out += cat("- [", file, "](", prefix, file, ")\n");
  return out;
}

}  // namespace

std::string verdict_line(const ReleaseVerdict& verdict) {
  const std::string& s = verdict.status;
  const std::string profile = verdict.gate.is_object() ? cat(" (", verdict.gate.value("profile", ""), ")") : "";
  if (s == "approved") return cat("**Release gate: APPROVED**", profile, ". ", verdict.reason);
  if (s == "warn") return cat("**Release gate: WARN**", profile, ". ", verdict.reason);
  if (s == "blocked") return cat("**Release gate: BLOCKED**", profile, ". This is a research checkpoint, not a release. ", verdict.reason);
  return cat("**Release gate: NOT JUDGED**. This is a research checkpoint, not a release: ", verdict.reason, ".");
}

std::string model_card(const CardFacts& f) {
  std::string out = front_matter(f) + verdict_line(f.evidence.verdict) + "\n\n";
  out += cat("# ", evidence::markdown_inline(f.model_name), "\n\nA small language model of ", base::short_count(static_cast<double>(f.config.parameter_count())),
             " parameters, trained from scratch with picochat.\n\n");
  out += "## Intended use and limits\n\nFor study and experiments. A model of this size states false things fluently, knows little beyond its training "
         "text, and follows few instructions; nothing it says should be relied on.\n\n";
  out += "## Architecture\n\n" + architecture(f) + "\n## Training data\n\n" + (f.dataset_summary.empty() ? kNotGiven : f.dataset_summary) + "\n\n" + training_data_section(f.evidence.summary);
  out += training(f.metadata) + "## Evaluation\n\n" + (f.eval_summary.empty() ? kNotGiven : f.eval_summary) + "\n\n" + measured(f.evidence.verdict.gate) +
         issues(f.evidence.verdict.gate);
  if (f.evidence.summary.is_object()) out += benchmarks_section(f.evidence.summary) + contamination_section(f.evidence.summary) + generations_section(f.evidence.summary);
  out += "## Evidence\n\n" + evidence_list(f.evidence, f.comparison.blocks ? "evidence/" : "../") + "\n";
  out += cat("Checkpoint `", f.checkpoint.hex(), "`, tokenizer `", f.tokenizer.hex(), "`. ");
  if (f.comparison.blocks == 0)
    out += "This folder describes the model; its weights are written by `picochat export hf`, which compares them with the checkpoint.\n\n";
  else
    out += cat("After writing, the files here were read back and compared with the checkpoint, ", f.comparison.blocks, " blocks",
               f.comparison.whole_model ? " and the whole model" : "", ": logits differ by at most ", f.comparison.largest_difference, ".\n\n");
  out += "## How to load\n\n" + loading(f) + "\n## Licence\n\n" + f.license + "\n";
  return out;
}

}  // namespace picochat::exporter
