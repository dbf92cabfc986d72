#include "exporter/push.hpp"

#include <algorithm>
#include <array>

#include "exporter/release_manifest.hpp"
#include "exporter/weights_writer.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/hub/upload.hpp"

namespace picochat::exporter {
namespace {

using base::cat;
using base::Json;
using base::Path;

void require_approval(const ReleaseVerdict& verdict) {
  if (verdict.status == "approved") return;
  throw base::blocked({.what = "the release gate did not approve this model, so it is not pushed", .where = "--push-to-hub", .expected = "a verdict of approved",
                       .found = cat(verdict.status, verdict.reason.empty() ? "" : ": ", verdict.reason),
                       .remedy = "add --as-blocked-research to publish it as what it is, with the verdict in the card's first line; leave --push-to-hub out to export it here alone"});
}

// What an earlier push of ours may have left there and this export does not have: weights would be loaded instead of the new ones.
bool written_by_exports(const std::string& path) {
  static constexpr std::array<std::string_view, 7> names{kSingleWeights, kWeightsIndex, "configuration_picochat.py", "modeling_picochat.py", "chat_template.jinja",
                                                         "special_tokens_map.json", "generation_config.json"};
  return path.starts_with("evidence/") || (path.starts_with("model-") && path.ends_with(".safetensors")) || std::find(names.begin(), names.end(), path) != names.end();
}

std::vector<hub::LocalFile> files_of(const Path& folder, const Json& manifest) {
  std::vector<hub::LocalFile> files;
  for (const auto& [name, entry] : manifest.at("files").items())
    files.push_back({.path = name, .source = folder / name, .size = entry.at("bytes").get<uint64_t>(), .sha256 = base::Digest(entry.at("sha256").get<std::string>())});
  const Path own = folder / kReleaseManifest;
  files.push_back({.path = kReleaseManifest, .source = own, .size = std::filesystem::file_size(own), .sha256 = base::sha256_file(own)});
  return files;
}

Json plan_json(const hub::UploadPlan& plan) {
  Json files = Json::array();
  for (const auto& entry : plan.entries) files.push_back({{"path", entry.path}, {"bytes", entry.size}, {"state", to_text(entry.state)}});
  return {{"repository_exists", plan.repository}, {"parent", plan.head.empty() ? Json(nullptr) : Json(plan.head)}, {"files", files}};
}

std::string counts(const hub::UploadPlan& plan) {
  using enum hub::FileState;
  return cat(plan.count(kNew), " new, ", plan.count(kChanged), " changed, ", plan.count(kUnchanged), " unchanged, ", plan.count(kDeleted), " deleted");
}

std::string dry_text(const ExportHfOptions& options, const hub::UploadPlan& plan) {
  std::string out = cat("would push to ", *options.repo_id, ", revision ", options.revision, plan.repository ? "" : ", which is not there yet", options.make_private && !plan.repository ? " and would be private" : "",
                        " (", counts(plan), "):\n");
  for (const auto& entry : plan.entries) {
    const std::string state = to_text(entry.state), size = base::grouped(static_cast<int64_t>(entry.size));
    out += cat("  ", state, std::string(11 - state.size(), ' '), std::string(size.size() < 15 ? 15 - size.size() : 0, ' '), size, "  ", entry.path, "\n");
  }
  return out;
}

std::string sent_text(const hub::UploadReport& report) {
  if (!report.committed) return cat("pushed: nothing, the hub has these very files (commit ", report.commit.substr(0, 12), ")\n");
  std::string out = cat("pushed: ", report.url, "\ncommit: ", report.commit, " (", counts(report.plan), "; ", base::human_bytes(report.bytes_sent), " of large files sent");
  if (report.already_stored) out += cat(", ", report.already_stored, " of them had arrived before");
  return out + ")\n";
}

}  // namespace

void check_push_flags(const ExportHfOptions& options) {
  if (options.push_to_hub) {
    if (!options.repo_id) throw base::usage_error({.what = "a push needs the name of a repository", .where = "--push-to-hub", .expected = "--repo-id namespace/name"});
    hub::check_repo_id(*options.repo_id, "--repo-id");
    if (options.revision.empty()) throw base::usage_error({.what = "a push needs the name of a branch", .where = "--revision", .expected = "a branch, as main"});
    return;
  }
  const ExportHfOptions plain;
  const std::array<std::pair<const char*, bool>, 6> given{{{"--repo-id", options.repo_id.has_value()}, {"--private", options.make_private}, {"--token-env", options.token_env.has_value()},
                                                           {"--dry-run", options.dry_run}, {"--as-blocked-research", options.as_blocked_research},
                                                           {"--commit-message", options.commit_message.has_value()}}};
  for (const auto& [flag, is_given] : given)
    if (is_given) throw base::usage_error({.what = cat(flag, " says how to push, but there is no --push-to-hub"), .where = flag, .remedy = "add --push-to-hub, or leave it out"});
  if (options.revision != plain.revision) throw base::usage_error({.what = "--revision says how to push, but there is no --push-to-hub", .where = "--revision", .remedy = "add --push-to-hub, or leave it out"});
}

Push::Push(const ExportHfOptions& options, const ReleaseVerdict& verdict) : options_(options) {
  if (!options.push_to_hub) return;
  if (!options.as_blocked_research) require_approval(verdict);
  client_ = std::make_shared<const hub::Client>(hub::settings_from(hub::process_environment(), {.endpoint = {}, .token_variable = options.token_env}));
  if (!options.dry_run) hub::check_token(*client_);
}

Push::Result Push::run(const Path& folder, const Json& manifest) const {
  const std::string status = manifest.at("release_gate").at("status");
  const hub::UploadRequest request{.repo_id = *options_.repo_id, .revision = options_.revision,
                                   .commit_message = options_.commit_message.value_or(cat("picochat export of ", manifest.at("model_name").get<std::string>(), ", release gate: ", status)),
                                   .make_private = options_.make_private, .files = files_of(folder, manifest), .replaces = written_by_exports};
  if (options_.dry_run) {
    const auto plan = hub::plan_upload(*client_, request);
    return {.json = {{"dry_run", true}, {"repo_id", request.repo_id}, {"revision", request.revision}, {"plan", plan_json(plan)}}, .text = dry_text(options_, plan)};
  }
  const auto report = hub::upload(*client_, request);
  return {.json = {{"dry_run", false}, {"repo_id", request.repo_id}, {"revision", request.revision}, {"url", report.url}, {"commit", report.commit}, {"committed", report.committed},
                   {"large_file_bytes_sent", report.bytes_sent}, {"large_files_already_stored", report.already_stored}, {"plan", plan_json(report.plan)}},
          .text = sent_text(report)};
}

}  // namespace picochat::exporter
