// A hub on loopback that models are pushed to: one origin speaks the hub's interface, another one stores large files, each in one piece or
// in parts, as the Git LFS transfers "basic" and "multipart" have it. It checks what it gets as the real one does: digests, sizes, tags of parts,
// the parent of a commit. What goes wrong on the way is scripted by the test. Large files lie in a folder, so that they may be larger than memory.
#pragma once

#include <fcntl.h>
#include <httplib.h>
#include <openssl/evp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "picochat/base/digest.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/text.hpp"

namespace picochat::test {

enum class PushFault { kNone, kCut, kBusy, kBroken, kExpired, kSlow, kAnswerLost };

class ModelHub {
 public:
  struct Stored {
    std::string bytes;    // of small files
    std::string sha256;   // of large ones
    uint64_t size = 0;
    bool large() const { return !sha256.empty(); }
  };
  using Tree = std::map<std::string, Stored>;

  explicit ModelHub(std::filesystem::path folder) : folder_(std::move(folder)) {
    std::filesystem::create_directories(folder_);
    for (auto* server : {&hub_, &storage_}) {
      server->new_task_queue = [] { return new httplib::ThreadPool(16); };
      server->set_read_timeout(60);
    }
    using Q = const httplib::Request&;
    using R = httplib::Response&;
    hub_.Get("/api/whoami-v2", [this](Q q, R r) { if (!refused(q, r)) json(r, {{"name", "someone"}, {"type", "user"}, {"auth", {{"type", "access_token"}}}}); });
    hub_.Post("/api/repos/create", [this](Q q, R r) { create(q, r); });
    hub_.Post("/api/validate-yaml", [this](Q q, R r) { if (!refused(q, r)) json(r, {{"errors", base::Json::array()}, {"warnings", base::Json::array()}}); });
    hub_.Post(R"(/api/models/([^/]+/[^/]+)/branch/(.+))", [this](Q q, R r) { branch(q, r); });
    hub_.Get(R"(/api/models/([^/]+/[^/]+)/revision/(.+))", [this](Q q, R r) { revision(q, r); });
    hub_.Get(R"(/api/models/([^/]+/[^/]+)/tree/(.+))", [this](Q q, R r) { tree(q, r); });
    hub_.Post(R"(/api/models/([^/]+/[^/]+)/preupload/(.+))", [this](Q q, R r) { preupload(q, r); });
    hub_.Post(R"(/api/models/([^/]+/[^/]+)/commit/(.+))", [this](Q q, R r) { commit(q, r); });
    hub_.Get(R"(/api/models/([^/]+/[^/]+))", [this](Q q, R r) { info(q, r); });
    hub_.Post(R"(/([^/]+/[^/]+)\.git/info/lfs/objects/batch)", [this](Q q, R r) { batch(q, r); });
    hub_.Post("/verify", [this](Q q, R r) { verify(q, r); });
    hub_.Get(R"(/([^/]+/[^/]+)/resolve/([^/]+)/(.+))", [this](Q q, R r) { resolve(q, r); });
    storage_.Put(R"(/object/([0-9a-f]+))", [this](Q q, R r, const httplib::ContentReader& read) { receive(q, r, read, 0); });
    storage_.Put(R"(/part/([0-9a-f]+)/(\d+)/(\d+))", [this](Q q, R r, const httplib::ContentReader& read) { receive(q, r, read, std::stoi(q.matches[3])); });
    storage_.Post(R"(/join/([0-9a-f]+)/(\d+))", [this](Q q, R r) { join(q, r); });
    storage_.Post("/stranger", [this](Q q, R r) { tokens_at_storage += q.has_header("Authorization"), error(r, 404, "", "who are you?"); });
    hub_port_ = hub_.bind_to_any_port("127.0.0.1");
    storage_port_ = storage_.bind_to_any_port("127.0.0.1");
    threads_.emplace_back([this] { hub_.listen_after_bind(); });
    threads_.emplace_back([this] { storage_.listen_after_bind(); });
    while (!hub_.is_running() || !storage_.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ~ModelHub() {
    hub_.stop();
    storage_.stop();
    for (auto& thread : threads_) thread.join();
  }
  ModelHub(const ModelHub&) = delete;
  ModelHub& operator=(const ModelHub&) = delete;

  std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(hub_port_); }

  // --- what the test decides ---------------------------------------------------------------------
  std::string token = "hf_good";
  uint64_t large_from = 1000;               // bytes, or the name ends with .safetensors
  uint64_t part_size = 0;                   // 0: everything in one piece
  std::string retry_after = "0";
  int slow_ms = 2;                          // kSlow: before each piece of the body
  std::function<PushFault(int request)> storage_fault = [](int) { return PushFault::kNone; };       // n-th PUT
  std::function<PushFault(const std::string& path)> hub_fault = [](const std::string&) { return PushFault::kNone; };
  std::function<void()> before_commit = [] {};
  bool redirect_to_stranger = false;        // one question is sent on to the storage host

  // --- what happened -----------------------------------------------------------------------------
  std::atomic<int> storage_requests{0}, tokens_at_storage{0}, commits{0}, creations{0}, writes{0};
  std::atomic<uint64_t> bytes_received{0};

  std::set<std::string> private_repositories;
  std::optional<Tree> files(const std::string& repository, const std::string& name = "main") {
    std::lock_guard lock(mutex_);
    const auto found = repositories_.find(repository);
    if (found == repositories_.end() || !found->second.branches.contains(name)) return std::nullopt;
    return found->second.commits.at(found->second.branches.at(name)).tree;
  }
  std::string message(const std::string& repository, const std::string& name = "main") {
    std::lock_guard lock(mutex_);
    auto& r = repositories_.at(repository);
    return r.commits.at(r.branches.at(name)).message;
  }
  std::string content(const Stored& file) const { return file.large() ? base::read_file(object(file.sha256)) : file.bytes; }
  std::filesystem::path object(const std::string& sha256) const { return folder_ / sha256; }
  // Somebody else commits.
  void intrude(const std::string& repository, const std::string& path, const std::string& bytes) {
    std::lock_guard lock(mutex_);
    auto& r = repositories_.at(repository);
    Tree tree = r.commits.at(r.branches.at("main")).tree;
    tree[path] = {.bytes = bytes, .sha256 = {}, .size = bytes.size()};
    add_commit(r, "main", std::move(tree), "another one");
  }

 private:
  struct Commit {
    Tree tree;
    std::string message;
  };
  struct Repository {
    std::map<std::string, std::string> branches;  // to the name of a commit
    std::map<std::string, Commit> commits;
  };
  struct Upload {
    uint64_t size = 0;
    std::map<int, std::string> tags;
  };

  static void json(httplib::Response& r, const base::Json& value) { r.set_content(value.dump(), "application/json"); }
  static void error(httplib::Response& r, int status, const char* code, const std::string& message) {
    r.status = status;
    r.set_header("X-Error-Code", code);
    r.set_header("X-Error-Message", message);
    json(r, {{"error", message}});
  }

  // The connection of a request is cut as a broken line cuts it.
  static void cut(const httplib::Request& q) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      const int fd = std::stoi(entry.path().filename().string());
      sockaddr_in peer{}, own{};
      socklen_t size = sizeof peer;
      if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0 || ntohs(peer.sin_port) != q.remote_port) continue;
      size = sizeof own;
      if (::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) == 0 && std::to_string(ntohs(own.sin_port)) == q.get_header_value("Host").substr(q.get_header_value("Host").find(':') + 1))
        ::shutdown(fd, SHUT_RDWR);
    }
  }

  bool refused(const httplib::Request& q, httplib::Response& r) {
    const PushFault fault = hub_fault(q.path);
    if (fault == PushFault::kBusy) {
      r.status = 429;
      r.set_header("RateLimit", "\"api\";r=0;t=" + retry_after);
      return true;
    }
    if (fault == PushFault::kBroken) return r.status = 502, true;
    if (fault == PushFault::kCut) return cut(q), true;
    if (q.get_header_value("Authorization") == "Bearer " + token) {
      if (q.method != "GET") ++writes;
      return false;
    }
    return error(r, 401, "", "Invalid username or password."), true;
  }

  Repository* find(const httplib::Request& q, httplib::Response& r) {
    const auto found = repositories_.find(q.matches[1]);
    if (found != repositories_.end()) return &found->second;
    error(r, 404, "RepoNotFound", "Repository not found");
    return nullptr;
  }
  // The commit that a branch or a commit's own name means.
  static std::string commit_of(const Repository& repository, const std::string& name) {
    if (repository.branches.contains(name)) return repository.branches.at(name);
    return repository.commits.contains(name) ? name : "";
  }
  void add_commit(Repository& r, const std::string& name, Tree tree, const std::string& text) {
    const std::string id = base::sha256(base::cat("commit ", ++serial_)).hex().substr(0, 40);
    r.commits[id] = {std::move(tree), text};
    r.branches[name] = id;
  }

  void create(const httplib::Request& q, httplib::Response& r) {
    if (refused(q, r)) return;
    const auto body = base::Json::parse(q.body);
    const std::string owner = body.at("organization").is_string() ? body.at("organization").get<std::string>() : "someone";
    const std::string id = owner + "/" + body.at("name").get<std::string>();
    std::lock_guard lock(mutex_);
    if (owner != "someone") return error(r, 403, "", "You don't have the rights to create a model under the namespace");
    if (repositories_.contains(id)) return error(r, 409, "", "You already created this model repo");
    ++creations;
    if (body.value("visibility", "") == "private" || body.value("private", false)) private_repositories.insert(id);
    add_commit(repositories_[id], "main", {{".gitattributes", {.bytes = "*.safetensors filter=lfs\n", .sha256 = {}, .size = 25}}}, "initial commit");
    json(r, {{"url", endpoint() + "/" + id}, {"name", id}, {"id", "1"}});
  }

  void branch(const httplib::Request& q, httplib::Response& r) {
    if (refused(q, r)) return;
    std::lock_guard lock(mutex_);
    Repository* repository = find(q, r);
    if (!repository) return;
    if (repository->branches.contains(q.matches[2])) return error(r, 409, "", "Reference already exists");
    repository->branches[q.matches[2]] = repository->branches.at("main");
    json(r, base::Json::object());
  }

  void info(const httplib::Request& q, httplib::Response& r) {
    if (refused(q, r)) return;
    std::lock_guard lock(mutex_);
    if (const auto* repository = find(q, r)) describe(r, q.matches[1], *repository, repository->branches.at("main"));
  }
  void revision(const httplib::Request& q, httplib::Response& r) {
    if (refused(q, r)) return;
    std::lock_guard lock(mutex_);
    const auto* repository = find(q, r);
    if (!repository) return;
    const std::string id = commit_of(*repository, q.matches[2]);
    if (id.empty()) return error(r, 404, "RevisionNotFound", "Invalid rev id: " + std::string(q.matches[2]));
    describe(r, q.matches[1], *repository, id);
  }
  static void describe(httplib::Response& r, const std::string& name, const Repository& repository, const std::string& id) {
    base::Json siblings = base::Json::array();
    for (const auto& [path, file] : repository.commits.at(id).tree) siblings.push_back({{"rfilename", path}});
    json(r, {{"id", name}, {"modelId", name}, {"sha", id}, {"private", false}, {"tags", base::Json::array()}, {"siblings", siblings}});
  }

  static std::string blob_id(const std::string& bytes) {
    std::string head = "blob " + std::to_string(bytes.size());
    head.push_back('\0');
    return hex_digest(EVP_sha1(), head + bytes);
  }
  static std::string hex_digest(const EVP_MD* kind, const std::string& bytes) {
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_Digest(bytes.data(), bytes.size(), raw, &size, kind, nullptr);
    std::string hex;
    for (unsigned i = 0; i < size; ++i) {
      char two[3];
      std::snprintf(two, sizeof two, "%02x", raw[i]);
      hex += two;
    }
    return hex;
  }

  void tree(const httplib::Request& q, httplib::Response& r) {
    if (refused(q, r)) return;
    std::lock_guard lock(mutex_);
    const auto* repository = find(q, r);
    if (!repository) return;
    const std::string id = commit_of(*repository, q.matches[2]);
    if (id.empty()) return error(r, 404, "RevisionNotFound", "Invalid rev id");
    base::Json out = base::Json::array();
    for (const auto& [path, file] : repository->commits.at(id).tree) {
      base::Json entry{{"type", "file"}, {"oid", file.large() ? std::string(40, 'a') : blob_id(file.bytes)}, {"size", file.size}, {"path", path}};
      if (file.large()) entry["lfs"] = {{"oid", file.sha256}, {"size", file.size}, {"pointerSize", 134}};
      out.push_back(entry);
    }
    json(r, out);
  }

  bool is_large(const std::string& path, uint64_t size) const { return size >= large_from || path.ends_with(".safetensors"); }

  void preupload(const httplib::Request& q, httplib::Response& r) {
    if (refused(q, r)) return;
    if (redirect_to_stranger) return r.set_redirect(storage("/stranger"), 307);
    const auto body = base::Json::parse(q.body);
    if (body.at("files").size() > 256) return error(r, 400, "", "too many files");
    base::Json out = base::Json::array();
    for (const auto& file : body.at("files")) {
      if (!file.at("sample").is_string()) return error(r, 400, "", "no sample");
      out.push_back({{"path", file.at("path")}, {"uploadMode", is_large(file.at("path"), file.at("size")) ? "lfs" : "regular"}, {"shouldIgnore", false}});
    }
    json(r, {{"files", out}});
  }

  std::string storage(const std::string& path) { return "http://localhost:" + std::to_string(storage_port_) + path + "?signature=s" + std::to_string(++serial_); }

  void batch(const httplib::Request& q, httplib::Response& r) {
    if (refused(q, r)) return;
    std::lock_guard lock(mutex_);
    if (!find(q, r)) return;
    if (!q.get_header_value("Content-Type").starts_with("application/vnd.git-lfs+json")) return error(r, 415, "", "not a Git LFS request");
    const auto body = base::Json::parse(q.body);
    base::Json objects = base::Json::array();
    for (const auto& wanted : body.at("objects")) {
      const std::string oid = wanted.at("oid");
      const uint64_t size = wanted.at("size");
      base::Json answer{{"oid", oid}, {"size", size}};
      if (!std::filesystem::exists(object(oid))) {
        base::Json upload{{"href", storage("/object/" + oid)}};
        if (part_size && size > part_size) {
          const int name = ++serial_;
          uploads_[name].size = size;
          base::Json header{{"chunk_size", std::to_string(part_size)}};
          for (uint64_t part = 0; part * part_size < size; ++part) {
            std::string number = std::to_string(part + 1);
            header[std::string(5 - std::min<size_t>(5, number.size()), '0') + number] = storage(base::cat("/part/", oid, "/", name, "/", part + 1));
          }
          upload = {{"href", storage(base::cat("/join/", oid, "/", name))}, {"header", header}};
        }
        answer["actions"] = {{"upload", upload}, {"verify", {{"href", endpoint() + "/verify"}, {"header", base::Json::object()}}}};
      }
      objects.push_back(answer);
    }
    json(r, {{"transfer", part_size ? "multipart" : "basic"}, {"objects", objects}});
  }

  // Bytes of an object (part 0) or of a part go to a file of their own until they are complete.
  void receive(const httplib::Request& q, httplib::Response& r, const httplib::ContentReader& read, int part) {
    const int number = storage_requests++;
    tokens_at_storage += q.has_header("Authorization");
    const PushFault fault = storage_fault(number);
    if (q.has_header("Transfer-Encoding")) return error(r, 501, "", "A header you provided implies functionality that is not implemented");
    const uint64_t announced = std::stoull(q.get_header_value("Content-Length"));
    const std::string oid = q.matches[1];
    const auto temporary = folder_ / base::cat("incoming-", number);
    const int out = ::open(temporary.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0644);
    uint64_t got = 0;
    base::Sha256 hash;
    const bool whole = read([&](const char* data, size_t size) {
      if (fault == PushFault::kSlow) std::this_thread::sleep_for(std::chrono::milliseconds(slow_ms));
      if (::write(out, data, size) != static_cast<ssize_t>(size)) return false;
      hash.update({data, size});
      got += size;
      bytes_received += size;
      if (fault == PushFault::kCut && got > announced / 2) {
        cut(q);
        return false;
      }
      return true;
    });
    ::close(out);
    const std::string digest = hash.finish().hex();
    auto drop = [&] { std::filesystem::remove(temporary); };
    if (!whole || got != announced) return drop(), void(r.status = 400);
    if (fault == PushFault::kBusy || fault == PushFault::kBroken) {
      drop();
      r.status = fault == PushFault::kBusy ? 503 : 500;
      if (fault == PushFault::kBusy) r.set_header("Retry-After", retry_after);
      return;
    }
    if (fault == PushFault::kExpired) return drop(), void(r.status = 403);
    if (part == 0) {
      if (digest != oid) return drop(), void(r.status = 400);
      std::filesystem::rename(temporary, object(oid));
    } else {
      std::lock_guard lock(mutex_);
      Upload& upload = uploads_.at(std::stoi(q.matches[2]));
      upload.tags[part] = "\"" + digest.substr(0, 32) + "\"";
      std::filesystem::rename(temporary, folder_ / base::cat("part-", std::string(q.matches[2]), "-", part));
      r.set_header("ETag", upload.tags[part]);
    }
    if (fault == PushFault::kAnswerLost) cut(q);
  }

  void join(const httplib::Request& q, httplib::Response& r) {
    tokens_at_storage += q.has_header("Authorization");
    const auto body = base::Json::parse(q.body);
    const std::string oid = q.matches[1], name = q.matches[2];
    std::lock_guard lock(mutex_);
    const Upload& upload = uploads_.at(std::stoi(name));
    if (body.at("oid") != oid || body.at("parts").size() != upload.tags.size()) return void(r.status = 400);
    base::Sha256 hash;
    const auto temporary = folder_ / ("joined-" + name);
    std::ofstream out(temporary, std::ios::binary);
    uint64_t size = 0;
    for (const auto& part : body.at("parts")) {
      const int number = part.at("partNumber");
      if (upload.tags.at(number) != part.at("etag")) return void(r.status = 400);
      const auto path = folder_ / base::cat("part-", name, "-", number);
      const std::string bytes = base::read_file(path);
      hash.update(bytes);
      out << bytes;
      size += bytes.size();
      std::filesystem::remove(path);
    }
    out.close();
    if (hash.finish().hex() != oid || size != upload.size) return void(r.status = 400);
    std::filesystem::rename(temporary, object(oid));
    json(r, {{"success", true}});
  }

  void verify(const httplib::Request& q, httplib::Response& r) {
    if (refused(q, r)) return;
    const auto body = base::Json::parse(q.body);
    const auto path = object(body.at("oid"));
    if (!std::filesystem::exists(path) || std::filesystem::file_size(path) != body.at("size")) error(r, 404, "", "object not found");
  }

  static std::string decoded(const std::string& text) {
    std::string out(text.size(), '\0');
    const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    const auto padding = std::count(text.end() - static_cast<std::ptrdiff_t>(std::min<size_t>(2, text.size())), text.end(), '=');
    out.resize(static_cast<size_t>(size - padding));
    return out;
  }

  void commit(const httplib::Request& q, httplib::Response& r) {
    before_commit();
    const PushFault fault = hub_fault(q.path);
    if (fault != PushFault::kAnswerLost && refused(q, r)) return;
    std::lock_guard lock(mutex_);
    Repository* repository = find(q, r);
    if (!repository) return;
    if (q.get_header_value("Content-Type") != "application/x-ndjson") return error(r, 415, "", "not NDJSON");
    const std::string name = q.matches[2];
    if (!repository->branches.contains(name)) return error(r, 404, "RevisionNotFound", "Invalid rev id");
    Tree tree = repository->commits.at(repository->branches.at(name)).tree;
    std::string summary;
    for (const auto& line : base::split(q.body, '\n')) {
      if (line.empty()) continue;
      const auto entry = base::Json::parse(line);
      const auto& value = entry.at("value");
      if (entry.at("key") == "header") {
        summary = value.at("summary");
        if (value.contains("parentCommit") && value.at("parentCommit") != repository->branches.at(name)) return error(r, 412, "", "A commit has happened since. Please refresh and try again.");
      } else if (entry.at("key") == "file") {
        const std::string bytes = decoded(value.at("content"));
        tree[value.at("path")] = {.bytes = bytes, .sha256 = {}, .size = bytes.size()};
      } else if (entry.at("key") == "lfsFile") {
        const std::string oid = value.at("oid");
        if (!std::filesystem::exists(object(oid))) return error(r, 400, "", "LFS pointer pointed to a file that does not exist");
        tree[value.at("path")] = {.bytes = {}, .sha256 = oid, .size = std::filesystem::file_size(object(oid))};
      } else if (entry.at("key") == "deletedFile") {
        tree.erase(value.at("path"));
      }
    }
    add_commit(*repository, name, std::move(tree), summary);
    ++commits;
    if (fault == PushFault::kAnswerLost) return cut(q);
    const std::string id = repository->branches.at(name);
    json(r, {{"success", true}, {"commitOid", id}, {"commitUrl", endpoint() + "/" + std::string(q.matches[1]) + "/commit/" + id}});
  }

  void resolve(const httplib::Request& q, httplib::Response& r) {
    std::lock_guard lock(mutex_);
    const auto* repository = find(q, r);
    if (!repository) return;
    const std::string id = commit_of(*repository, q.matches[2]);
    if (id.empty() || !repository->commits.at(id).tree.contains(q.matches[3])) return error(r, 404, "EntryNotFound", "Entry not found");
    const auto& file = repository->commits.at(id).tree.at(q.matches[3]);
    r.set_header("X-Repo-Commit", id);
    r.set_header("ETag", "\"" + (file.large() ? file.sha256 : blob_id(file.bytes)) + "\"");
    r.set_content(content(file), "application/octet-stream");
  }

  std::filesystem::path folder_;
  httplib::Server hub_, storage_;
  int hub_port_ = 0, storage_port_ = 0;
  std::atomic<int> serial_{0};
  std::mutex mutex_;
  std::map<std::string, Repository> repositories_;
  std::map<int, Upload> uploads_;
  std::vector<std::thread> threads_;
};

}  // namespace picochat::test
