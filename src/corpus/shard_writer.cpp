#include "picochat/corpus/shard_writer.hpp"

#include <unistd.h>

#include <algorithm>

#include "corpus/json_text.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"

namespace picochat::corpus {
namespace {

constexpr size_t kWriteBytes = 1 << 20;

int64_t count_lines(std::string_view text) {
  return std::count(text.begin(), text.end(), '\n') + (!text.empty() && text.back() != '\n');
}

}  // namespace

std::string shard_file_name(int64_t number) { return base::cat("shard-", base::zero_padded(static_cast<uint64_t>(number), 6), ".jsonl"); }

struct DocumentShardWriter::Open {
  Path path;  // temporary
  std::unique_ptr<base::WritableFile> file;
  base::Sha256 hash;
  std::string buffer;
  ShardRecord record;

  void flush() {
    hash.update(buffer);
    file->append(buffer);
    record.bytes += buffer.size();
    buffer.clear();
  }
};

base::Json shard_record_json(const ShardRecord& record) {
  return {{"file", record.file},           {"num_documents", record.documents}, {"num_characters", record.characters}, {"num_lines", record.lines},
          {"text_bytes", record.text_bytes}, {"bytes", record.bytes},           {"sha256", record.sha256.hex()}};
}

DocumentShardWriter::DocumentShardWriter(base::FileSystem& files, Options options) : files_(files), options_(std::move(options)) {
  base::require(options_.rows_per_shard >= 1 && options_.first_shard >= 0, "rows per shard are at least 1 and shards are numbered from 0");
  files_.make_directories(options_.folder);
  base::sweep_leftovers(files_, options_.folder);
}

DocumentShardWriter::~DocumentShardWriter() {
  if (!open_) return;
  std::error_code ignored;
  std::filesystem::remove(open_->path, ignored);
}

void DocumentShardWriter::open_shard() {
  const int64_t number = options_.first_shard + static_cast<int64_t>(published_.size());
  const std::string name = shard_file_name(number);
  if (std::filesystem::exists(options_.folder / name))
    throw base::bad_input({.what = "a document shard of this number exists already", .where = (options_.folder / name).string(),
                           .remedy = "continue after it, or name another folder; nothing was overwritten"});
  auto open = std::make_unique<Open>();
  open->path = options_.folder / base::cat(".tmp-", name, "-", static_cast<int>(::getpid()));
  open->file = files_.create(open->path);
  open->record.file = name;
  open_ = std::move(open);
}

void DocumentShardWriter::add(const DocumentRow& row) {
  if (!open_) open_shard();
  std::string& out = open_->buffer;
  out += "{\"id\":";
  append_json_string(out, row.id);
  out += ",\"text\":";
  append_json_string(out, row.text);
  if (row.extra) {
    base::require(row.extra->is_object() && !row.extra->contains("id") && !row.extra->contains("text"), "further keys of a row are not id or text");
    for (const auto& [key, value] : row.extra->items()) {
      out += ',';
      append_json_string(out, key);
      out += ':';
      out += base::dump(value, -1);
    }
  }
  out += "}\n";
  ShardRecord& record = open_->record;
  record.documents += 1;
  record.characters += static_cast<int64_t>(base::count_code_points(row.text));
  record.lines += count_lines(row.text);
  record.text_bytes += row.text.size();
  if (out.size() >= kWriteBytes) open_->flush();
  const bool large = options_.max_shard_bytes > 0 && record.bytes + out.size() >= options_.max_shard_bytes;
  if (record.documents >= options_.rows_per_shard || large) publish_shard();
}

void DocumentShardWriter::publish_shard() {
  open_->flush();
  open_->record.sha256 = open_->hash.finish();
  open_->file->sync();
  open_->file->close();
  files_.rename_new(open_->path, options_.folder / open_->record.file);
  files_.sync_directory(options_.folder);
  published_.push_back(std::move(open_->record));
  open_.reset();
}

const std::vector<ShardRecord>& DocumentShardWriter::finish() {
  if (open_) publish_shard();
  return published_;
}

}  // namespace picochat::corpus
