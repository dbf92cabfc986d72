// A hub on loopback: one origin answers as the Hugging Face Hub does, another one serves the large files
// that it redirects to. What goes wrong on the way is scripted by the test.
#pragma once

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "picochat/base/digest.hpp"
#include "picochat/base/json.hpp"

namespace picochat::test {

enum class Fault { kNone, kCut, kStall, kTooMany, kUnavailable, kExpired, kIgnoreRange, kWrongRange, kWrongTotal, kShort };

class HubServer {
 public:
  static constexpr const char* kCommit = "0123456789abcdef0123456789abcdef01234567";
  static constexpr const char* kConvertedCommit = "fedcba9876543210fedcba9876543210fedcba98";

  explicit HubServer(std::map<std::string, std::string> files, std::string dataset = "someone/texts")
      : dataset_(std::move(dataset)), files_(std::move(files)) {
    for (const auto& [path, bytes] : files_) digests_[path] = base::sha256(bytes).hex();
    for (auto* server : {&hub_, &storage_}) server->new_task_queue = [] { return new httplib::ThreadPool(32); };
    hub_.Get(R"(/api/datasets/(.+)/revision/(.+))", [this](const auto& q, auto& r) { revision(q, r); });
    hub_.Get(R"(/api/datasets/(.+)/tree/(.+))", [this](const auto& q, auto& r) { tree(q, r); });
    hub_.Get(R"(/datasets/(.+)/resolve/([^/]+)/(.+))", [this](const auto& q, auto& r) { resolve(q, r); });
    hub_.Get("/parquet", [this](const auto& q, auto& r) { conversion(q, r); });
    storage_.Get(R"(/blob/(.+))", [this](const auto& q, auto& r) { blob(q, r); });
    hub_port_ = hub_.bind_to_any_port("127.0.0.1");
    storage_port_ = storage_.bind_to_any_port("127.0.0.1");
    threads_.emplace_back([this] { hub_.listen_after_bind(); });
    threads_.emplace_back([this] { storage_.listen_after_bind(); });
    hub_.wait_until_ready_();
    storage_.wait_until_ready_();
  }
  ~HubServer() {
    stopping_ = true;
    hub_.stop();
    storage_.stop();
    for (auto& thread : threads_) thread.join();
  }
  HubServer(const HubServer&) = delete;
  HubServer& operator=(const HubServer&) = delete;

  std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(hub_port_); }
  const std::string& dataset() const { return dataset_; }

  // --- what the test decides ---------------------------------------------------------------------
  std::string token;                            // required of every request to the hub when set
  size_t page_size = 1000;                      // of listings
  int always_status = 0;                        // the hub answers nothing else
  bool redirect_in_a_circle = false;
  bool wrong_digest = false;                    // in the hub's promises
  std::string retry_after = "0";
  double stall_seconds = 30;
  int storage_delay_ms = 0;                     // before each answer
  base::Json converted;                         // what the conversion service answers
  std::function<Fault(int request)> storage_fault = [](int) { return Fault::kNone; };  // n-th request for bytes
  std::function<int(int request)> hub_status = [](int) { return 0; };                  // n-th request to the hub

  // --- what happened -----------------------------------------------------------------------------
  std::atomic<int> hub_requests{0}, storage_requests{0}, tokens_at_storage{0};
  std::atomic<uint64_t> bytes_served{0};
  std::vector<std::string> storage_ranges() {
    std::lock_guard lock(mutex_);
    return ranges_;
  }

 private:
  class Listener : public httplib::Server {
   public:
    void wait_until_ready_() {
      while (!is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  };

  static void json(httplib::Response& r, const base::Json& value) { r.set_content(value.dump(), "application/json"); }

  // True when the request is answered already.
  bool refused(const httplib::Request& q, httplib::Response& r) {
    int status = hub_status(hub_requests++);
    if (always_status) status = always_status;
    if (!status && !token.empty() && q.get_header_value("Authorization") != "Bearer " + token) status = 401;
    if (!status) return false;
    r.status = status;
    if (status == 429) r.set_header("RateLimit", "\"api\";r=0;t=" + retry_after);
    if (status == 503) r.set_header("Retry-After", retry_after);
    if (status == 403) r.set_header("X-Error-Code", "GatedRepo");
    if (status == 404) r.set_header("X-Error-Code", "RepoNotFound");
    if (status == 401) r.set_content("{\"error\": \"Invalid username or password.\"}", "application/json");
    return true;
  }

  static bool is_converted(const std::string& revision) { return revision == "refs%2Fconvert%2Fparquet" || revision == "refs/convert/parquet" || revision == kConvertedCommit; }

  void revision(const httplib::Request& q, httplib::Response& r) {
    if (refused(q, r)) return;
    if (q.matches[1] != dataset_) return void(r.status = 404);
    json(r, {{"id", dataset_}, {"sha", is_converted(q.matches[2]) ? kConvertedCommit : kCommit}, {"tags", {"license:odc-by"}}, {"private", false}});
  }

  void tree(const httplib::Request& q, httplib::Response& r) {
    if (refused(q, r)) return;
    base::Json all = base::Json::array();
    for (const auto& [path, bytes] : files_) {
      if (path.starts_with("converted/") != is_converted(q.matches[2])) continue;
      const std::string shown = is_converted(q.matches[2]) ? path.substr(10) : path;
      base::Json entry = {{"type", "file"}, {"oid", std::string(40, 'a')}, {"size", bytes.size()}, {"path", shown}};
      if (is_large(path)) entry["lfs"] = {{"oid", digests_[path]}, {"size", bytes.size()}, {"pointerSize", 131}};
      all.push_back(entry);
      all.push_back({{"type", "directory"}, {"path", "folder"}, {"size", 0}});
    }
    const size_t first = q.has_param("cursor") ? std::stoul(q.get_param_value("cursor")) : 0;
    base::Json page = base::Json::array();
    for (size_t i = first; i < std::min(all.size(), first + page_size); ++i) page.push_back(all[i]);
    if (first + page_size < all.size())
      r.set_header("Link", "<" + endpoint() + q.path + "?recursive=true&cursor=" + std::to_string(first + page_size) + ">; rel=\"next\"");
    json(r, page);
  }

  static bool is_large(const std::string& path) { return !path.ends_with(".md"); }

  void resolve(const httplib::Request& q, httplib::Response& r) {
    if (refused(q, r)) return;
    std::string path = q.matches[3];
    if (is_converted(q.matches[2])) path = "converted/" + path;
    const auto found = files_.find(path);
    if (q.matches[1] != dataset_ || found == files_.end()) {
      r.status = 404;
      r.set_header("X-Error-Code", "EntryNotFound");
      return;
    }
    r.set_header("X-Repo-Commit", is_converted(q.matches[2]) ? kConvertedCommit : kCommit);
    if (!is_large(path)) return r.set_content(found->second, "text/plain");
    if (redirect_in_a_circle) return r.set_redirect(q.path);
    r.set_header("X-Linked-Size", std::to_string(found->second.size()));
    r.set_header("X-Linked-ETag", "\"" + (wrong_digest ? std::string(64, 'b') : digests_[path]) + "\"");
    r.set_redirect("http://localhost:" + std::to_string(storage_port_) + "/blob/" + path + "?signature=secret" + std::to_string(++signatures_));
  }

  void conversion(const httplib::Request& q, httplib::Response& r) {
    if (refused(q, r)) return;
    if (converted.is_null()) return void(r.status = 404);
    r.set_header("X-Revision", kCommit);
    json(r, converted);
  }

  void blob(const httplib::Request& q, httplib::Response& r) {
    const int number = storage_requests++;
    tokens_at_storage += q.has_header("Authorization");
    const std::string& bytes = files_.at(q.matches[1]);
    const std::string range = q.get_header_value("Range");
    {
      std::lock_guard lock(mutex_);
      ranges_.push_back(range);
    }
    // Ranges are answered here, so that they can be answered wrongly.
    const_cast<httplib::Request&>(q).ranges.clear();
    const Fault fault = storage_fault(number);
    std::this_thread::sleep_for(std::chrono::milliseconds(storage_delay_ms));
    if (fault == Fault::kTooMany || fault == Fault::kUnavailable) {
      r.status = fault == Fault::kTooMany ? 429 : 503;
      r.set_header("Retry-After", retry_after);
      return;
    }
    if (fault == Fault::kExpired) return void(r.status = 403);
    size_t first = 0, end = bytes.size();
    if (range.starts_with("bytes=") && fault != Fault::kIgnoreRange) {
      first = std::stoull(range.substr(6));
      const auto dash = range.find('-');
      if (dash + 1 < range.size()) end = std::min<size_t>(end, std::stoull(range.substr(dash + 1)) + 1);
      r.status = 206;
      if (fault == Fault::kShort) end = first + (end - first) / 2 + 1;
      const size_t lie = fault == Fault::kWrongRange ? 1 : 0;
      r.set_header("Content-Range", "bytes " + std::to_string(first + lie) + "-" + std::to_string(end - 1) + "/" + std::to_string(bytes.size() + (fault == Fault::kWrongTotal)));
    }
    const size_t length = end - first;
    r.set_content_provider(length, "application/octet-stream", [this, &bytes, first, length, fault](size_t offset, size_t left, httplib::DataSink& sink) {
      const size_t half = length / 2;
      if (fault == Fault::kCut && offset >= half) return false;
      if (fault == Fault::kStall && offset >= half) {
        for (double waited = 0; waited < stall_seconds && !stopping_; waited += 0.01) std::this_thread::sleep_for(std::chrono::milliseconds(10));
        return false;
      }
      size_t piece = std::min<size_t>(left, 64 << 10);
      if ((fault == Fault::kCut || fault == Fault::kStall) && offset < half) piece = std::min(piece, half - offset);
      bytes_served += piece;
      return sink.write(bytes.data() + first + offset, piece);
    });
  }

  std::string dataset_;
  std::map<std::string, std::string> files_, digests_;
  Listener hub_, storage_;
  int hub_port_ = 0, storage_port_ = 0;
  std::atomic<int> signatures_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::vector<std::string> ranges_;
  std::vector<std::thread> threads_;
};

}  // namespace picochat::test
