#include "picochat/factory/stage_cache.hpp"

#include "picochat/base/artifact.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::factory {

using base::cat;
using base::Json;
using base::Path;

Json StageKey::to_json() const { return {{"stage", stage}, {"semantics", semantics}, {"inputs", inputs}, {"options", options}}; }
base::Digest StageKey::digest() const { return base::sha256(base::canonical(to_json())); }

StageCache::StageCache(base::FileSystem& files, Path run_dir) : files_(files), run_dir_(std::move(run_dir)) {}

Path StageCache::file(const std::string& stage) const { return run_dir_ / "stages" / cat(stage, ".json"); }

Json StageCache::read(const std::string& stage) const {
  const Path path = file(stage);
  if (!std::filesystem::exists(path)) return nullptr;
  try {
    Json record = base::read_json(path);
    const bool whole = record.is_object() && record.contains("status") && record.contains("key") && record.at("key").is_object();
    return whole ? record : Json(nullptr);
  } catch (const base::Error&) {
    return nullptr;  // a damaged record is as good as none: the stage runs again
  }
}

StageCache::State StageCache::state(const std::string& stage) const {
  const Json record = read(stage);
  if (record.is_null()) return State::kAbsent;
  return record.at("status") == "done" ? State::kDone : State::kStarted;
}

bool StageCache::is_current(const StageKey& key) const {
  const Json record = read(key.stage);
  if (record.is_null() || record.at("status") != "done" || base::canonical(record.at("key")) != base::canonical(key.to_json())) return false;
  for (const auto& output : record.at("outputs")) {
    const Path path = run_dir_ / output.at("path").get<std::string>();
    if (!std::filesystem::exists(path) || digest_of(path).hex() != output.at("sha256")) return false;
  }
  return true;
}

std::vector<std::string> StageCache::differences(const StageKey& key) const {
  std::vector<std::string> lines;
  const Json record = read(key.stage), now = key.to_json();
  if (record.is_null()) return lines;
  const Json& then = record.at("key");
  for (const char* part : {"inputs", "options"}) {
    const Json before = then.value(part, Json::object());
    for (const auto& [name, value] : now.at(part).items()) {
      const Json old = before.contains(name) ? before.at(name) : Json(nullptr);
      if (old != value) lines.push_back(cat(name, ": ", base::dump(old, -1), " -> ", base::dump(value, -1)));
    }
    for (const auto& [name, value] : before.items())
      if (!now.at(part).contains(name)) lines.push_back(cat(name, ": ", base::dump(value, -1), " -> (none)"));
  }
  if (then.value("semantics", 0) != key.semantics) lines.push_back("this version of the program does the stage differently");
  return lines;
}

void StageCache::record_started(const StageKey& key) {
  base::write_file(files_, file(key.stage), base::dump(Json{{"status", "started"}, {"key", key.to_json()}, {"outputs", Json::array()}}) + "\n");
}

void StageCache::record_done(const StageKey& key, const std::vector<Path>& outputs) {
  Json list = Json::array();
  for (const auto& path : outputs) list.push_back({{"path", path.generic_string()}, {"sha256", digest_of(run_dir_ / path).hex()}});
  base::write_file(files_, file(key.stage), base::dump(Json{{"status", "done"}, {"key", key.to_json()}, {"outputs", list}}) + "\n");
}

Json StageCache::outputs(const std::string& stage) const {
  const Json record = read(stage);
  return record.is_null() ? Json::array() : record.at("outputs");
}

void StageCache::forget(const std::string& stage) {
  if (std::filesystem::exists(file(stage))) files_.remove_all(file(stage));
}

base::Digest digest_of(const Path& path) {
  return std::filesystem::is_directory(path) ? base::artifact_digest(path) : base::sha256_file(path);
}

}  // namespace picochat::factory
