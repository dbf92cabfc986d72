#include "picochat/tokenizer/encode_stream.hpp"

#include <condition_variable>
#include <mutex>

#include "picochat/base/interrupt.hpp"
#include "picochat/base/threads.hpp"

namespace picochat::tokenizer {
namespace {

constexpr size_t kBatchBytes = 1 << 20;

// Every worker reads a batch, encodes it, and hands it over when its turn comes, so there is no thread
// that only reads or only writes.
class Pipeline {
 public:
  Pipeline(const Tokenizer& tokenizer, const TaggedStream& documents, const std::function<void(const EncodedBatch&)>& consume)
      : tokenizer_(tokenizer), documents_(documents), consume_(consume) {}

  void work() {
    std::vector<std::string> texts;
    EncodedBatch batch;
    try {
      for (uint64_t number; read(texts, batch, number);) {
        for (size_t i = 0; i < batch.tags.size(); ++i) {
          batch.ids.push_back(kBos);
          tokenizer_.encode(texts[i], batch.ids);
          batch.ids.push_back(kEos);
          batch.ends.push_back(batch.ids.size());
        }
        if (!hand_over(batch, number)) return;
      }
    } catch (...) {
      std::lock_guard lock(turn_mutex_);
      failed_ = true;
      turn_.notify_all();
      throw;
    }
  }

 private:
  bool read(std::vector<std::string>& texts, EncodedBatch& batch, uint64_t& number) {
    batch.ids.clear(), batch.ends.clear(), batch.tags.clear();
    batch.text_bytes = 0;
    std::lock_guard lock(read_mutex_);
    base::throw_if_interrupted();
    while (!ended_ && batch.text_bytes < kBatchBytes) {
      if (texts.size() == batch.tags.size()) texts.emplace_back();
      std::string& text = texts[batch.tags.size()];
      uint64_t tag = 0;
      ended_ = true;  // also when the stream throws
      if (!documents_(text, tag)) break;
      ended_ = false;
      batch.tags.push_back(tag);
      batch.text_bytes += text.size();
    }
    number = next_read_++;
    return !batch.tags.empty();
  }

  bool hand_over(const EncodedBatch& batch, uint64_t number) {
    std::unique_lock lock(turn_mutex_);
    turn_.wait(lock, [&] { return failed_ || next_out_ == number; });
    if (failed_) return false;
    consume_(batch);
    ++next_out_;
    turn_.notify_all();
    return true;
  }

  const Tokenizer& tokenizer_;
  const TaggedStream& documents_;
  const std::function<void(const EncodedBatch&)>& consume_;
  std::mutex read_mutex_, turn_mutex_;
  std::condition_variable turn_;
  uint64_t next_read_ = 0, next_out_ = 0;
  bool ended_ = false, failed_ = false;
};

}  // namespace

void encode_stream(const Tokenizer& tokenizer, const TaggedStream& documents, const std::function<void(const EncodedBatch&)>& consume, int threads) {
  Pipeline pipeline(tokenizer, documents, consume);
  const int workers = threads > 0 ? threads : base::available_cores();
  base::parallel_for(static_cast<size_t>(workers), [&](size_t) { pipeline.work(); }, workers);
}

}  // namespace picochat::tokenizer
