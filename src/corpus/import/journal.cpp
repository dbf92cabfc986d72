#include "corpus/import/journal.hpp"

#include <filesystem>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::corpus::import {
namespace {

using base::Json;

constexpr const char* kFormat = "picochat.import_journal";
constexpr int kVersion = 1;

}  // namespace

ShardRecord shard_record_from(const Json& json, const std::string& where) {
  ShardRecord record;
  record.file = base::get_string(json, "file", where);
  record.documents = base::get_int(json, "num_documents", where);
  record.characters = base::get_int(json, "num_characters", where);
  record.lines = base::get_int(json, "num_lines", where);
  record.text_bytes = static_cast<uint64_t>(base::get_int(json, "text_bytes", where));
  record.bytes = static_cast<uint64_t>(base::get_int(json, "bytes", where));
  record.sha256 = base::Digest(base::get_string(json, "sha256", where));
  return record;
}

std::optional<History> read_journal(const Path& documents) {
  const Path path = documents / kJournalFile;
  if (!std::filesystem::exists(path)) return std::nullopt;
  // A crash may have cut the last line short: what it says is done again.
  std::string text = base::read_file(path);
  text.resize(text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1);
  History history;
  bool begun = false;
  base::for_each_line(text, [&](std::string_view line, int64_t number) {
    const std::string where = base::cat(path.string(), ":", number);
    try {
      const Json json = base::parse_json(line, where);
      if (json.contains("plan")) {
        if (base::get_string_or(json, "format", "", where) != kFormat || base::get_int(json, "version", where) != kVersion)
          throw base::bad_input({.what = "the journal of another kind of import, or of a newer version", .where = where});
        history.plan = plan_from(json.at("plan"), where);
        history.state.offset_left = history.plan.filters.offset;
        history.limits = limits_from(json.at("limits"), where);
        begun = true;
      } else if (json.contains("limits")) {
        history.limits = limits_from(json.at("limits"), where);
        history.finished = false;
      } else if (json.contains("finished")) {
        history.finished = true;
      } else {
        for (const auto& shard : json.at("shards")) history.shards.push_back(shard_record_from(shard, where));
        history.state = state_from(json.at("state"), where);
      }
    } catch (const nlohmann::json::exception& error) {
      throw base::bad_input({.what = "the import's journal is damaged", .where = where, .found = error.what(), .remedy = "start again with --fresh"});
    }
    return true;
  });
  if (!begun) return std::nullopt;
  return history;
}

Journal Journal::start(base::FileSystem& files, const Path& documents, const Plan& plan, const Limits& limits) {
  const Json first = {{"format", kFormat}, {"version", kVersion}, {"plan", plan_json(plan)}, {"limits", limits_json(limits)}};
  base::write_file(files, documents / kJournalFile, base::dump(first, -1) + "\n");
  return reopen(files, documents);
}

Journal Journal::reopen(base::FileSystem& files, const Path& documents) {
  return Journal(std::make_unique<base::JsonlAppender>(files, documents / kJournalFile));
}

void Journal::append(const Json& value) {
  file_->append(value);
  file_->sync();
}

void Journal::add_shards(const std::vector<ShardRecord>& shards, const State& state) {
  Json records = Json::array();
  for (const auto& shard : shards) records.push_back(shard_record_json(shard));
  append({{"shards", std::move(records)}, {"state", state_json(state)}});
}

void Journal::set_limits(const Limits& limits) { append({{"limits", limits_json(limits)}}); }
void Journal::finish() { append({{"finished", true}}); }

}  // namespace picochat::corpus::import
