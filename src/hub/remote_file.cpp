#include "picochat/hub/remote_file.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>
#include <future>
#include <list>
#include <mutex>

#include "hub/answers.hpp"
#include "hub/transfer.hpp"
#include "hub/url.hpp"
#include "picochat/base/digest.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::hub {
namespace {

using base::cat;

constexpr uint64_t kUnannouncedBlock = 256 << 10;  // read around what nobody announced: footers, mostly
constexpr uint64_t kLargestWindow = 32 << 20;
constexpr uint64_t kStreamBlock = 8 << 20;
constexpr size_t kStreamAhead = 2;
constexpr size_t kMostWindows = 32;
constexpr int kMostRefusedAddresses = 3;

}  // namespace

// A range in memory, or about to be.
struct Window {
  uint64_t first = 0, end = 0;
  std::shared_future<std::shared_ptr<const std::string>> bytes;  // not valid until somebody fetches it
  uint64_t consumed = 0;
  bool announced = false;  // read once, from its first byte to its last
};

struct RemoteFile::Windows {
  std::mutex mutex;
  std::list<Window> all;  // oldest first
  std::string location;   // where the hub's address led to, while it is accepted
  std::atomic<uint64_t> received{0};
};

RemoteFile::RemoteFile(std::shared_ptr<const Client> client, std::string url, RepoFile file, std::string commit)
    : client_(std::move(client)), url_(std::move(url)), name_(printable(url_)), file_(std::move(file)), commit_(std::move(commit)), windows_(std::make_unique<Windows>()) {}
RemoteFile::~RemoteFile() = default;

uint64_t RemoteFile::bytes_received() const { return windows_->received; }

void RemoteFile::fetch(uint64_t offset, std::span<char> out) const {
  Client::Retry retry(*client_);
  size_t have = 0;
  int refused_addresses = 0;
  auto lie = [&](const std::string& what, const std::string& expected, const std::string& found) {
    return base::environment_error({.what = what, .where = name_, .expected = expected, .found = found,
                                    .remedy = "the server or a proxy before it is at fault, or the file was replaced; nothing of it was used"});
  };
  while (have < out.size()) {
    std::string location;
    {
      std::lock_guard lock(windows_->mutex);
      location = windows_->location;
    }
    const uint64_t first = offset + have;
    const size_t before = have;
    uint64_t skip = 0;
    bool begun = false;
    Client::Receiver receiver;
    receiver.promises = [&](const Head& head) {
      const std::string commit = head.header("x-repo-commit"), size = head.header("x-linked-size");
      std::string digest = head.header("x-linked-etag");
      std::erase(digest, '"');
      if (!commit_.empty() && !commit.empty() && commit != commit_) throw lie("the hub answers with another commit", commit_, commit.substr(0, 80));
      if (!size.empty() && parse_size(size) != file_.size) throw lie("the file's size is not what the listing says", std::to_string(file_.size), size.substr(0, 40));
      if (!digest.empty() && !file_.sha256.empty() && digest != file_.sha256) throw lie("the file's digest is not what the listing says", file_.sha256, digest.substr(0, 80));
    };
    if (!location.empty()) receiver.promises = {};
    receiver.body = [&](const Head& head, std::string_view bytes) {
      if (!begun) {
        begun = true;
        if (head.status == 206) {
          const std::string text = head.header("content-range");
          const auto range = parse_content_range(text);
          if (!range || range->first != first || range->total != file_.size) throw lie("the server sends another range than was asked for", cat("bytes ", first, "-.../", file_.size), text.substr(0, 80));
        } else {
          const auto length = parse_size(head.header("content-length"));
          if (length && *length != file_.size) throw lie("the file's length is not what the listing says", std::to_string(file_.size), std::to_string(*length));
          skip = first;  // the whole file comes: the range was ignored
        }
      }
      windows_->received += bytes.size();
      const size_t skipped = std::min<uint64_t>(skip, bytes.size());
      skip -= skipped;
      bytes.remove_prefix(skipped);
      const size_t taken = std::min(bytes.size(), out.size() - have);
      std::memcpy(out.data() + have, bytes.data(), taken);
      have += taken;
      return have < out.size();
    };
    Client::Try outcome = client_->attempt(location.empty() ? url_ : location, first, out.size() - have, receiver);
    if (have > before) {
      retry.progressed();
      refused_addresses = 0;
    }
    const bool answered = outcome.failure.empty() && outcome.status >= 200 && outcome.status < 300;
    if (have == out.size()) {
      std::lock_guard lock(windows_->mutex);
      windows_->location = outcome.final_url;
      return;
    }
    if (answered) outcome.failure = cat("the answer ended after ", have, " of ", out.size(), " bytes");
    if (!is_transient(outcome)) {
      // A signed address expires; asking the hub again gives a fresh one.
      std::lock_guard lock(windows_->mutex);
      windows_->location.clear();
      if (location.empty() && ++refused_addresses >= (outcome.final_url == url_ ? 1 : kMostRefusedAddresses)) throw refusal_error(outcome, outcome.final_url, client_->settings());
      continue;
    }
    retry.wait(outcome, url_);
  }
}

void RemoteFile::will_read(uint64_t offset, uint64_t length) const {
  std::lock_guard lock(windows_->mutex);
  for (uint64_t at = offset; at < offset + length; at += kLargestWindow) windows_->all.push_back({at, std::min(at + kLargestWindow, offset + length), {}, 0, true});
  // Windows of readers that gave up.
  while (windows_->all.size() > kMostWindows) windows_->all.pop_front();
}

void RemoteFile::read_at(uint64_t offset, std::span<char> out) const {
  while (!out.empty()) {
    std::promise<std::shared_ptr<const std::string>> promise;
    std::shared_future<std::shared_ptr<const std::string>> bytes;
    Window range;
    bool mine = false;
    {
      std::lock_guard lock(windows_->mutex);
      auto& all = windows_->all;
      auto found = std::find_if(all.begin(), all.end(), [&](const Window& window) { return window.first <= offset && offset < window.end; });
      if (found == all.end()) {
        // Nobody announced it. Large reads go straight; around small ones a block is fetched.
        if (out.size() >= kUnannouncedBlock) {
          range = {offset, offset + out.size(), {}, 0, false};
        } else {
          const uint64_t end = std::min(file_.size, std::max(offset + out.size(), offset + kUnannouncedBlock));
          const uint64_t first = end == file_.size && file_.size > kUnannouncedBlock ? std::min(offset, file_.size - kUnannouncedBlock) : end == file_.size ? 0 : offset;
          all.push_back({first, end, {}, 0, false});
          found = std::prev(all.end());
        }
      }
      if (found != all.end()) {
        if (!found->bytes.valid()) {
          found->bytes = promise.get_future().share();
          mine = true;
        }
        bytes = found->bytes;
        found->consumed += std::min<uint64_t>(out.size(), found->end - offset);
        range = *found;
        // The gaps between the chunks of an announced range are never read: its end is its end.
        const bool used_up = found->announced ? offset + out.size() >= found->end : found->consumed >= found->end - found->first;
        if (used_up || all.size() > kMostWindows) all.erase(found);
      }
    }
    if (!bytes.valid()) return fetch(offset, out);
    if (mine) {
      try {
        auto block = std::make_shared<std::string>(range.end - range.first, '\0');
        fetch(range.first, *block);
        promise.set_value(std::move(block));
      } catch (...) {
        promise.set_exception(std::current_exception());
      }
    }
    const std::shared_ptr<const std::string> block = bytes.get();
    const size_t taken = std::min<uint64_t>(out.size(), range.end - offset);
    std::memcpy(out.data(), block->data() + (offset - range.first), taken);
    offset += taken;
    out = out.subspan(taken);
  }
}

// --- from front to back --------------------------------------------------------------------------

namespace {

class RemoteStream : public base::ByteStream {
 public:
  using Fetch = std::function<void(uint64_t, std::span<char>)>;
  RemoteStream(const RemoteFile& source, const std::string& sha256, uint64_t offset, Fetch fetch)
      : source_(source), expected_(sha256), fetch_(std::move(fetch)), next_(offset), left_(source.size() - std::min(offset, source.size())), whole_(offset == 0) {}

  size_t read(std::span<char> out) override {
    if (out.empty()) return 0;
    if (at_ == block_.size() && !advance()) return 0;
    const size_t taken = std::min(out.size(), block_.size() - at_);
    std::memcpy(out.data(), block_.data() + at_, taken);
    at_ += taken;
    return taken;
  }
  const std::string& name() const override { return source_.name(); }

 private:
  bool advance() {
    while (left_ > 0 && ahead_.size() < kStreamAhead) {
      const uint64_t bytes = std::min(left_, kStreamBlock);
      ahead_.push_back(std::async(std::launch::async, [this, first = next_, bytes] {
        std::string block(bytes, '\0');
        fetch_(first, block);
        return block;
      }));
      next_ += bytes;
      left_ -= bytes;
    }
    if (ahead_.empty()) {
      check_digest();
      return false;
    }
    block_ = ahead_.front().get();
    ahead_.pop_front();
    at_ = 0;
    if (whole_ && !expected_.empty()) hash_.update(block_);
    return true;
  }
  void check_digest() {
    if (!whole_ || expected_.empty()) return;
    whole_ = false;
    const std::string found = hash_.finish().hex();
    if (found != expected_)
      throw base::environment_error({.what = "the file's bytes do not have the digest that the hub promised", .where = source_.name(), .expected = expected_, .found = found,
                                     .remedy = "run the command again; if it stays so, the server or a proxy alters the file"});
  }

  const RemoteFile& source_;
  std::string expected_;
  Fetch fetch_;
  uint64_t next_, left_;
  bool whole_;
  base::Sha256 hash_;
  std::string block_;
  size_t at_ = 0;
  std::deque<std::future<std::string>> ahead_;  // last: their threads use the members above
};

}  // namespace

std::unique_ptr<base::ByteStream> RemoteFile::stream(uint64_t offset) const {
  return std::make_unique<RemoteStream>(*this, file_.sha256, offset, [this](uint64_t first, std::span<char> out) { fetch(first, out); });
}

}  // namespace picochat::hub
