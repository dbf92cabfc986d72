#include "evidence/bundle_manifest.hpp"

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/evidence/judge.hpp"
#include "picochat/evidence/markdown.hpp"

namespace picochat::evidence {
namespace {

using base::cat;
using base::Json;

// One value out of a report; null when the report is absent or damaged.
Json value_of(const RunFiles& files, const std::string& path, const std::string& key) {
  if (!files.contains(path)) return nullptr;
  try {
    return base::parse_json(files.read(path), files.where(path)).value(key, Json(nullptr));
  } catch (const std::exception&) {
    return nullptr;
  }
}

Json identity(const RunFiles& files) {
  Json out = Json::object();
  const Json build = value_of(files, "summary.json", "build");
  out["git_commit"] = build.is_object() ? build.value("git_commit", Json(nullptr)) : Json(nullptr);
  for (const auto& [name, digest] : collect_gate_evidence(files).digests) out[name] = digest;
  out["corpus"] = value_of(files, "corpus_manifest.json", "digest");
  out["gate_evidence"] = files.contains("gate/gate_evidence.json") ? Json(files.digest("gate/gate_evidence.json").hex()) : Json(nullptr);
  out["gate_status"] = value_of(files, "gate/gate.json", "status");
  out["gate_profile"] = value_of(files, "gate/gate.json", "profile");
  return out;
}

}  // namespace

Json bundle_manifest(const RunFiles& files, const BundleFacts& facts) {
  Json included = Json::array(), missing = Json::array(), excluded = Json::object();
  for (const auto& path : files.list()) included.push_back({{"path", path}, {"bytes", files.size(path)}, {"sha256", files.digest(path).hex()}});
  for (const auto& item : facts.required)
    if (item.status != "present") missing.push_back(item.name);
  for (const auto& [path, flag] : facts.excluded) excluded[path] = flag;
  return {{"kind", kBundleKind},
          {"format", kBundleFormat},
          {"run_dir", facts.run},
          {"strict", facts.strict},
          {"identity", identity(files)},
          {"required_artifacts", to_json(facts.required)},
          {"missing_expected", missing},
          {"include_corpus", facts.include_corpus},
          {"include_token_shards", facts.include_token_shards},
          {"logs_dir", facts.logs ? Json("logs") : Json(nullptr)},
          {"included_file_count", included.size()},
          {"included_files", included},
          {"excluded_large", excluded},
          {"resume_hint", "unpack the archive; the command in run.json, given again with --out-dir set to the unpacked folder, goes on from there"}};
}

std::string bundle_markdown(const Json& manifest) {
  const Json& identity = manifest.at("identity");
  std::string out = cat("# Bundle of ", manifest.at("run_dir").get<std::string>(), "\n\nRelease gate: **", identity.at("gate_status").is_string() ? identity.at("gate_status").get<std::string>() : "not judged",
                        "**\n\n## Required artifacts\n\n");
  std::vector<std::vector<std::string>> rows;
  for (const auto& item : manifest.at("required_artifacts"))
    rows.push_back({item.at("name"), item.at("status"), item.at("purpose"), item.value("problem", std::string())});
  out += markdown_table({"artifact", "status", "why it matters", "problem"}, rows);
  out += "\n## What ties it together\n\n";
  rows.clear();
  for (const auto& [name, value] : identity.items()) rows.push_back({name, value.is_string() ? value.get<std::string>() : "not measured"});
  out += markdown_table({"what", "digest or value"}, rows);
  out += "\n## Files\n\n";
  rows.clear();
  for (const auto& file : manifest.at("included_files")) rows.push_back({file.at("path"), count(file.at("bytes")), file.at("sha256").get<std::string>().substr(0, 16)});
  out += markdown_table({"file", "bytes", "SHA-256 begins"}, rows, " :");
  if (!manifest.at("excluded_large").empty()) {
    out += "\n## Left out\n\n";
    for (const auto& [path, flag] : manifest.at("excluded_large").items()) out += cat("- `", path, "` (", flag.get<std::string>(), ")\n");
  }
  return out + "\n`picochat run verify BUNDLE` checks every digest and judges again; `sha256sum -c SHA256SUMS` inside the folder checks the digests alone.\n";
}

std::string bundle_text(const Json& manifest) {
  std::string out;
  for (const auto& item : manifest.at("required_artifacts")) {
    const std::string status = item.at("status");
    out += cat("  ", base::padded(item.at("name").get<std::string>(), 28), status, status == "present" ? "" : cat(": ", item.value("problem", std::string())), "\n");
    if (status != "present") out += cat(std::string(30, ' '), "-> ", item.value("remedy", std::string()), "\n");
  }
  const Json& identity = manifest.at("identity");
  return out + cat("files: ", manifest.at("included_file_count").get<int64_t>(), ", release gate: ", identity.at("gate_status").is_string() ? identity.at("gate_status").get<std::string>() : "not judged", "\n");
}

}  // namespace picochat::evidence
