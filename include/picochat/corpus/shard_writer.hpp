// Writes documents as documents/shard-NNNNNN.jsonl, a fixed number of rows each. A shard appears under
// its name only when it is complete and synced, so a crash leaves whole shards and nothing else.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "picochat/base/digest.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"

namespace picochat::corpus {

using base::Path;

struct DocumentRow {
  std::string_view id, text;                     // text that is not UTF-8 is written with U+FFFD
  const base::Json* extra = nullptr;             // further keys of the row, an object
};

std::string shard_file_name(int64_t number);  // "shard-000000.jsonl"

struct ShardRecord {
  std::string file;  // "shard-000000.jsonl"
  int64_t documents = 0, characters = 0, lines = 0;
  uint64_t bytes = 0;       // of the file
  uint64_t text_bytes = 0;  // of the texts
  base::Digest sha256;
};
base::Json shard_record_json(const ShardRecord& record);

class DocumentShardWriter {
 public:
  struct Options {
    Path folder;
    int64_t rows_per_shard = 1000;
    int64_t first_shard = 0;        // number of the first shard to write: how an import goes on
    uint64_t max_shard_bytes = 0;   // also close a shard at this size; 0: rows alone decide
  };
  // Creates the folder; sweeps what a crashed writer left. A shard that exists under a number to be
  // written is BadInput, never overwritten.
  DocumentShardWriter(base::FileSystem& files, Options options);
  ~DocumentShardWriter();  // an unfinished shard is dropped: call finish()
  DocumentShardWriter(const DocumentShardWriter&) = delete;
  DocumentShardWriter& operator=(const DocumentShardWriter&) = delete;

  void add(const DocumentRow& row);
  // Publishes the last, possibly short, shard. Returns the records of all shards written, in order.
  const std::vector<ShardRecord>& finish();
  const std::vector<ShardRecord>& published() const { return published_; }

 private:
  void open_shard();
  void publish_shard();
  base::FileSystem& files_;
  Options options_;
  std::vector<ShardRecord> published_;
  struct Open;
  std::unique_ptr<Open> open_;
};

}  // namespace picochat::corpus
