#include "picochat/tokenizer/encode_stream.hpp"

#include <condition_variable>
#include <map>
#include <mutex>

#include "picochat/base/interrupt.hpp"
#include "picochat/base/threads.hpp"

namespace picochat::tokenizer {
namespace {

constexpr size_t kBatchBytes = 256 << 10;  // text that is still in the core's cache when it is encoded
constexpr uint64_t kAheadPerWorker = 4;    // batches that may wait for their turn

// Every worker reads a batch, encodes it, and leaves it for its turn; whoever has made the next one in order hands
// over what is ready. So there is no thread that only reads or only writes, and none that waits for another's batch.
class Pipeline {
 public:
  Pipeline(const Tokenizer& tokenizer, const TaggedStream& documents, const std::function<void(const EncodedBatch&)>& consume,
           const EncodeStream& options, int workers)
      : tokenizer_(tokenizer), documents_(documents), consume_(consume), options_(options), most_ahead_(kAheadPerWorker * static_cast<uint64_t>(workers)) {}

  void work() {
    std::vector<Document> documents;
    EncodedBatch batch;
    try {
      for (uint64_t number, count; read(documents, count, batch, number);) {
        for (size_t i = 0; i < count; ++i) {
          const auto& [text, tag] = documents[i];
          batch.tags.push_back(tag ? *tag : options_.tag_of ? options_.tag_of(text) : 0);
          batch.ids.push_back(kBos);
          tokenizer_.encode(text, batch.ids);
          batch.ids.push_back(kEos);
          batch.ends.push_back(batch.ids.size());
        }
        if (!hand_over(std::move(batch), number)) return;
        batch = spare();
      }
    } catch (...) {
      std::lock_guard lock(turn_mutex_);
      failed_ = true;
      turn_.notify_all();
      throw;
    }
  }

 private:
  struct Document {
    std::string text;  // keeps its memory for the next batch
    std::optional<uint64_t> tag;
  };

  bool read(std::vector<Document>& documents, uint64_t& count, EncodedBatch& batch, uint64_t& number) {
    batch.ids.clear(), batch.ends.clear(), batch.tags.clear();
    batch.text_bytes = 0;
    std::lock_guard lock(read_mutex_);
    base::throw_if_interrupted();
    for (count = 0; !ended_ && batch.text_bytes < kBatchBytes; ++count) {
      if (documents.size() == count) documents.emplace_back();
      Document& document = documents[count];
      document.tag.reset();
      ended_ = true;  // also when the stream throws
      if (!documents_(document.text, document.tag)) break;
      ended_ = false;
      batch.text_bytes += document.text.size();
    }
    number = next_read_++;
    return count > 0;
  }

  bool hand_over(EncodedBatch&& batch, uint64_t number) {
    std::unique_lock lock(turn_mutex_);
    turn_.wait(lock, [&] { return failed_ || number < next_out_ + most_ahead_; });
    if (failed_) return false;
    ready_.emplace(number, std::move(batch));
    if (handing_over_) return true;
    handing_over_ = true;
    while (!failed_ && !ready_.empty() && ready_.begin()->first == next_out_) {
      auto next = ready_.extract(ready_.begin());
      lock.unlock();
      consume_(next.mapped());
      lock.lock();
      ++next_out_;
      spare_.push_back(std::move(next.mapped()));
      turn_.notify_all();
    }
    handing_over_ = false;
    return !failed_;
  }

  EncodedBatch spare() {  // an earlier one's memory
    std::lock_guard lock(turn_mutex_);
    if (spare_.empty()) return {};
    EncodedBatch batch = std::move(spare_.back());
    spare_.pop_back();
    return batch;
  }

  const Tokenizer& tokenizer_;
  const TaggedStream& documents_;
  const std::function<void(const EncodedBatch&)>& consume_;
  const EncodeStream& options_;
  const uint64_t most_ahead_;
  std::mutex read_mutex_, turn_mutex_;
  std::condition_variable turn_;
  std::map<uint64_t, EncodedBatch> ready_;  // by number, those whose turn has not come
  std::vector<EncodedBatch> spare_;
  uint64_t next_read_ = 0, next_out_ = 0;
  bool ended_ = false, failed_ = false, handing_over_ = false;
};

}  // namespace

void encode_stream(const Tokenizer& tokenizer, const TaggedStream& documents, const std::function<void(const EncodedBatch&)>& consume,
                   const EncodeStream& options) {
  const int workers = options.threads > 0 ? options.threads : base::available_cores();
  Pipeline pipeline(tokenizer, documents, consume, options, workers);
  base::parallel_for(static_cast<size_t>(workers), [&](size_t) { pipeline.work(); }, workers);
}

}  // namespace picochat::tokenizer
