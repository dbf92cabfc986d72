#include "corpus/parquet.hpp"

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

#ifndef PICOCHAT_ARROW

namespace picochat::corpus {
namespace {

[[noreturn]] void no_arrow(const std::string& name) {
  throw base::environment_error({.what = "this build of picochat cannot read Parquet: it was configured without Arrow C++",
                                 .where = name,
                                 .remedy = "run scripts/setup, which fetches Arrow, and build again; or convert the file to .jsonl"});
}

}  // namespace

std::unique_ptr<RowFile> open_parquet(std::shared_ptr<const base::ByteSource> source, const RowColumns&) { no_arrow(source->name()); }
std::vector<Column> parquet_columns(const base::ByteSource& source) { no_arrow(source.name()); }

}  // namespace picochat::corpus

#else

#include <arrow/memory_pool.h>
#include <parquet/arrow/reader.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>

#include "corpus/arrow/adapter.hpp"
#include "corpus/arrow/columns.hpp"
#include "corpus/arrow/json.hpp"
#include "picochat/base/interrupt.hpp"

namespace picochat::corpus {
namespace {

constexpr uint64_t kWholeChunk = 32 << 20;  // column chunks up to this are fetched by one read
constexpr int64_t kStreamBuffer = 4 << 20;  // larger ones by reads of this size
constexpr int64_t kBatchBytes = 8 << 20;    // rows are decoded in batches of about this much

class ParquetFile : public RowFile {
 public:
  ParquetFile(const base::ByteSource& source, std::shared_ptr<const base::ByteSource> owner) : source_(source), owner_(std::move(owner)) {
    tail_ = read_tail(source_);
    auto file = adapter();
    metadata_ = guarded(*file, source_.name(), [&]() -> arrow::Result<std::shared_ptr<parquet::FileMetaData>> {
      return parquet::ParquetFileReader::Open(file, reader_properties(arrow::default_memory_pool(), false))->metadata();
    });
    guarded(*file, source_.name(), [&]() -> arrow::Result<bool> {
      parquet::arrow::SchemaManifest manifest;
      ARROW_RETURN_NOT_OK(parquet::arrow::SchemaManifest::Make(metadata_->schema(), metadata_->key_value_metadata(), arrow_properties(1), &manifest));
      for (size_t i = 0; i < manifest.schema_fields.size(); ++i) {
        Node root;
        root.root = static_cast<int>(i);
        collect_nodes(manifest.schema_fields[i], root, nodes_, 0);
      }
      return true;
    });
    for (const Node& node : nodes_) columns_.push_back(node.column);
  }

  void choose(const RowColumns& columns) {
    text_ = require_column(columns.text);
    if (!text_->column.is_text)
      throw base::bad_input({.what = cat("the column \"", columns.text, "\" does not hold text"), .where = source_.name(), .expected = "a column of strings",
                             .found = text_->column.type, .remedy = cat("columns there are: ", listed())});
    for (const auto& name : columns.extra) extra_.push_back(require_column(name));
    if (const Node* id = find(nodes_, "id"); id && is_id(*id)) id_ = id;
    std::vector<const Node*> wanted = extra_;
    wanted.push_back(text_);
    if (id_) wanted.push_back(id_);
    for (const Node* node : wanted) {
      leaves_.insert(leaves_.end(), node->leaves.begin(), node->leaves.end());
      roots_.push_back(node->root);
    }
    for (auto* list : {&leaves_, &roots_}) {
      std::sort(list->begin(), list->end());
      list->erase(std::unique(list->begin(), list->end()), list->end());
    }
    list_parts();
  }

  const std::vector<Column>& columns() const override { return columns_; }
  const std::vector<FilePart>& parts() const override { return parts_; }

  std::unique_ptr<PartReader> open_part(size_t part) const override;

 private:
  friend class ParquetPart;
  std::shared_ptr<SourceAdapter> adapter() const { return std::make_shared<SourceAdapter>(source_, tail_); }

  static parquet::ReaderProperties reader_properties(arrow::MemoryPool* pool, bool streamed) {
    parquet::ReaderProperties properties(pool);
    properties.set_page_checksum_verification(true);
    if (streamed) {
      properties.enable_buffered_stream();
      properties.set_buffer_size(kStreamBuffer);
    }
    return properties;
  }

  static parquet::ArrowReaderProperties arrow_properties(int64_t batch_rows) {
    parquet::ArrowReaderProperties properties(/*use_threads=*/false);
    properties.set_pre_buffer(false);
    properties.set_batch_size(batch_rows);
    return properties;
  }

  int64_t batch_rows(size_t part) const {
    const FilePart& record = parts_[part];
    const int64_t rows = std::max<int64_t>(record.rows, 1);
    const int64_t row_bytes = std::max<int64_t>(uncompressed_[part] / rows, 1);
    return std::clamp<int64_t>(kBatchBytes / row_bytes, 1, 8192);
  }

  std::string listed() const {
    constexpr size_t kShown = 40;
    std::vector<std::string> parts;
    for (const auto& column : columns_) {
      if (parts.size() == kShown) {
        parts.push_back(cat("and ", columns_.size() - kShown, " more"));
        break;
      }
      parts.push_back(cat(printable(column.name, 80), " (", printable(column.type, 60), ")"));
    }
    return parts.empty() ? "none" : base::join(parts, ", ");
  }

  const Node* require_column(const std::string& name) const {
    if (const Node* node = find(nodes_, name)) return node;
    std::vector<std::string> names;
    for (const auto& column : columns_) names.push_back(column.name);
    const std::string near = base::closest(name, names);
    throw base::bad_input({.what = cat("the file has no column \"", name, "\""), .where = source_.name(), .found = cat("columns ", listed()),
                           .remedy = near.empty() ? "name one of these columns" : cat("did you mean \"", near, "\"?")});
  }

  void list_parts() {
    int64_t first = 0;
    for (int group = 0; group < metadata_->num_row_groups(); ++group) {
      FilePart part{.first_row = first};
      int64_t plain = 0;
      auto file = adapter();
      guarded(*file, source_.name(), [&]() -> arrow::Result<bool> {
        auto record = metadata_->RowGroup(group);
        part.rows = record->num_rows();
        if (record->num_columns() != metadata_->num_columns()) return arrow::Status::Invalid("row group ", group, " has other columns than the schema");
        for (int leaf : leaves_) {
          auto chunk = record->ColumnChunk(leaf);
          const int64_t packed = chunk->total_compressed_size();
          if (packed < 0 || static_cast<uint64_t>(packed) > source_.size())
            return arrow::Status::Invalid("column chunk of ", packed, " bytes in a file of ", source_.size());
          part.bytes += static_cast<uint64_t>(packed);
          plain += std::clamp<int64_t>(chunk->total_uncompressed_size(), 0, int64_t{1} << 40);
        }
        return true;
      });
      if (part.rows < 0 || part.rows > (int64_t{1} << 48) - first) throw damaged(source_.name(), cat("row group ", group, " of ", part.rows, " rows"));
      first += part.rows;
      parts_.push_back(part);
      uncompressed_.push_back(plain);
    }
    if (first != metadata_->num_rows()) throw damaged(source_.name(), cat("row groups of ", first, " rows in all, where the footer says ", metadata_->num_rows()));
  }

  // The column chunks of a part, those that lie close together as one range.
  void announce(size_t part) const {
    constexpr uint64_t kGap = 256 << 10;  // cheaper to fetch than another request
    auto record = metadata_->RowGroup(static_cast<int>(part));
    std::vector<std::pair<uint64_t, uint64_t>> ranges;
    for (int leaf : leaves_) {
      auto chunk = record->ColumnChunk(leaf);
      int64_t first = chunk->data_page_offset();
      if (chunk->has_dictionary_page() && chunk->dictionary_page_offset() > 0) first = std::min(first, chunk->dictionary_page_offset());
      const int64_t length = chunk->total_compressed_size(), size = static_cast<int64_t>(source_.size());
      if (first >= 0 && length > 0 && length <= size && first <= size - length) ranges.emplace_back(first, first + length);
    }
    std::sort(ranges.begin(), ranges.end());
    for (size_t i = 0; i < ranges.size();) {
      const uint64_t first = ranges[i].first;
      uint64_t end = ranges[i].second;
      while (++i < ranges.size() && ranges[i].first <= end + kGap) end = std::max(end, ranges[i].second);
      source_.will_read(first, end - first);
    }
  }

  // The column of `node` in a batch, which has the chosen top-level fields in their order.
  Slot slot(const arrow::RecordBatch& batch, const Node& node, const std::string& where) const {
    const auto at = std::lower_bound(roots_.begin(), roots_.end(), node.root) - roots_.begin();
    if (at >= batch.num_columns()) throw damaged(where, "a column is missing from what was read");
    Slot slot;
    slot.array = batch.column(static_cast<int>(at));
    for (const std::string& name : node.inside) {
      if (slot.array->type_id() == Type::EXTENSION) slot.array = static_cast<const arrow::ExtensionArray&>(*slot.array).storage();
      if (slot.array->type_id() != Type::STRUCT) throw damaged(where, cat("\"", node.column.name, "\" is not inside a struct"));
      slot.around.push_back(slot.array);
      slot.array = static_cast<const arrow::StructArray&>(*slot.around.back()).GetFieldByName(name);
      if (!slot.array) throw damaged(where, cat("\"", node.column.name, "\" does not stand once in its struct"));
    }
    return slot;
  }

  const base::ByteSource& source_;
  std::shared_ptr<const base::ByteSource> owner_;
  std::shared_ptr<const std::string> tail_;
  std::shared_ptr<parquet::FileMetaData> metadata_;
  std::vector<Node> nodes_;
  std::vector<Column> columns_;
  const Node* text_ = nullptr;
  const Node* id_ = nullptr;
  std::vector<const Node*> extra_;
  std::vector<int> leaves_, roots_;
  std::vector<FilePart> parts_;
  std::vector<int64_t> uncompressed_;  // of the chosen columns, by part
};

// One row group, decoded batch by batch.
class ParquetPart : public PartReader {
 public:
  ParquetPart(const ParquetFile& owner, size_t part)
      : owner_(owner), part_(part), where_(cat(owner.source_.name(), ", row group ", part)), counted_(arrow::default_memory_pool()),
        pool_(&counted_, kMaxPartMemory), file_(owner.adapter()) {
    batches_ = guarded(*file_, where_, [&]() -> arrow::Result<std::unique_ptr<arrow::RecordBatchReader>> {
      owner.announce(part);
      const bool streamed = owner.parts_[part].bytes > kWholeChunk;
      auto raw = parquet::ParquetFileReader::Open(file_, ParquetFile::reader_properties(&pool_, streamed), owner.metadata_);
      const auto properties = ParquetFile::arrow_properties(owner.batch_rows(part));
      ARROW_ASSIGN_OR_RAISE(reader_, parquet::arrow::FileReader::Make(&pool_, std::move(raw), properties));
      return reader_->GetRecordBatchReader({static_cast<int>(part)}, owner.leaves_);
    });
    json_.resize(owner.extra_.size());
    views_.resize(owner.extra_.size());
  }

  bool next(FileRow& row) override {
    while (!batch_ || at_ == batch_->num_rows())
      if (!next_batch()) return false;
    row = {};
    row.index = owner_.parts_[part_].first_row + rows_++;
    const int64_t i = at_++;
    fill_text(row, i);
    if (id_.array) fill_id(row, i);
    for (size_t k = 0; k < extra_.size(); ++k) {
      json_[k].clear();
      if (extra_[k].is_null(i)) json_[k] = "null";
      else append_arrow_json(json_[k], *extra_[k].array, i);
      views_[k] = json_[k];
    }
    row.extra = views_;
    return true;
  }

 private:
  bool next_batch() {
    base::throw_if_interrupted();
    batch_.reset();
    text_ = id_ = {};
    extra_.clear();
    batch_ = guarded(*file_, where_, [&]() -> arrow::Result<std::shared_ptr<arrow::RecordBatch>> {
      ARROW_ASSIGN_OR_RAISE(auto batch, batches_->Next());
      if (batch) ARROW_RETURN_NOT_OK(batch->Validate());
      return batch;
    });
    at_ = 0;
    if (!batch_) {
      const int64_t promised = owner_.parts_[part_].rows;
      if (rows_ != promised) throw damaged(where_, cat(rows_, " rows where the footer says ", promised));
      return false;
    }
    text_ = owner_.slot(*batch_, *owner_.text_, where_);
    if (owner_.id_) id_ = owner_.slot(*batch_, *owner_.id_, where_);
    for (const Node* node : owner_.extra_) extra_.push_back(owner_.slot(*batch_, *node, where_));
    return true;
  }

  void fill_text(FileRow& row, int64_t i) {
    const auto text = text_.is_null(i) ? std::nullopt : string_at(*text_.array, i);
    if (!text) {
      row.skipped = "text_column_not_string";
    } else if (base::is_valid_utf8(*text)) {
      row.text = *text;
    } else {
      repaired_ = base::replace_invalid_utf8(*text);
      row.text = repaired_;
      row.repaired = true;
    }
  }

  void fill_id(FileRow& row, int64_t i) {
    if (id_.is_null(i)) return;
    if (const auto text = string_at(*id_.array, i)) {
      id_text_ = base::is_valid_utf8(*text) ? std::string(*text) : base::replace_invalid_utf8(*text);
    } else {
      id_text_.clear();
      append_arrow_json(id_text_, *id_.array, i);
    }
    row.id = id_text_;
  }

  const ParquetFile& owner_;
  size_t part_;
  std::string where_;
  arrow::ProxyMemoryPool counted_;  // what this part takes, whatever others take
  arrow::CappedMemoryPool pool_;
  std::shared_ptr<SourceAdapter> file_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;  // must outlive what it gives
  std::unique_ptr<arrow::RecordBatchReader> batches_;
  std::shared_ptr<arrow::RecordBatch> batch_;
  Slot text_, id_;
  std::vector<Slot> extra_;
  int64_t at_ = 0, rows_ = 0;
  std::string repaired_, id_text_;
  std::vector<std::string> json_;
  std::vector<std::string_view> views_;
};

std::unique_ptr<PartReader> ParquetFile::open_part(size_t part) const {
  base::require(part < parts_.size(), "a part of the file exists");
  return std::make_unique<ParquetPart>(*this, part);
}

}  // namespace

std::unique_ptr<RowFile> open_parquet(std::shared_ptr<const base::ByteSource> source, const RowColumns& columns) {
  auto file = std::make_unique<ParquetFile>(*source, source);
  file->choose(columns);
  return file;
}

std::vector<Column> parquet_columns(const base::ByteSource& source) { return ParquetFile(source, nullptr).columns(); }

}  // namespace picochat::corpus
#endif
