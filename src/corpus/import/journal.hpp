// The record of an import beside its shards: `<documents>/.import.jsonl`. Its first line is the plan;
// each further line stands for whole shards that are on disk, and for the state after them. A crash can
// lose only what came after the last line, and that is done again.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "corpus/import/plan.hpp"
#include "corpus/import/state.hpp"
#include "picochat/base/jsonl.hpp"
#include "picochat/corpus/shard_writer.hpp"

namespace picochat::corpus::import {

inline constexpr const char* kJournalFile = ".import.jsonl";

struct History {
  Plan plan;
  Limits limits;                           // that were reached, or are being worked towards
  State state;                             // after the last full shard
  std::vector<ShardRecord> shards;         // the full ones
  bool finished = false;
};

// nullopt when the folder has no journal; BadInput when it is not one.
std::optional<History> read_journal(const Path& documents);

class Journal {
 public:
  static Journal start(base::FileSystem& files, const Path& documents, const Plan& plan, const Limits& limits);
  static Journal reopen(base::FileSystem& files, const Path& documents);
  void add_shards(const std::vector<ShardRecord>& shards, const State& state);
  void set_limits(const Limits& limits);   // goes on after an end: the last, short shard does not count any more
  void finish();

 private:
  explicit Journal(std::unique_ptr<base::JsonlAppender> file) : file_(std::move(file)) {}
  void append(const base::Json& value);
  std::unique_ptr<base::JsonlAppender> file_;
};

ShardRecord shard_record_from(const base::Json& json, const std::string& where);

}  // namespace picochat::corpus::import
