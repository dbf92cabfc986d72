#include "picochat/hub/upload.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include "hub/answers.hpp"
#include "hub/encodings.hpp"
#include "hub/large_files.hpp"
#include "hub/listing.hpp"
#include "hub/url.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/text.hpp"

namespace picochat::hub {
namespace {

using base::cat;
using base::Json;

constexpr size_t kFilesPerQuestion = 250;  // the hub takes 256
constexpr size_t kSampleBytes = 512;

std::string address(const Client& client, const std::string& tail) { return client.settings().endpoint + tail; }
std::string model_api(const Client& client, const UploadRequest& request, const std::string& tail = "") {
  return address(client, cat("/api/models/", request.repo_id, tail));
}
std::string at_revision(const Client& client, const UploadRequest& request, const std::string& verb) {
  return model_api(client, request, cat("/", verb, "/", percent_encoded(request.revision, true)));
}

Client::Reply ask_json(const Client& client, const std::string& url, const Json& question) {
  return client.send({.url = url, .headers = {"Content-Type: application/json"}, .body = text_body(base::dump(question, -1))});
}

Client::Reply look(const Client& client, const std::string& url) { return client.send({.method = "GET", .url = url, .headers = {}, .body = {}}); }

// The commit that the revision points to; nullopt when there is no such repository or revision.
std::optional<std::string> head_of(const Client& client, const UploadRequest& request) {
  const std::string url = at_revision(client, request, "revision");
  const auto reply = look(client, url);
  if (reply.outcome.status == 404) return std::nullopt;
  if (!reply.done()) throw push_refusal(reply, url, client.settings());
  return parse_revision(reply.body, url).commit;
}

bool repository_exists(const Client& client, const UploadRequest& request) {
  const std::string url = model_api(client, request);
  const auto reply = look(client, url);
  // The hub says 401 for what is not there, too, unless the token is good: check_token() has seen that it is.
  if (reply.outcome.status == 404 || reply.outcome.status == 401) return false;
  if (!reply.done()) throw push_refusal(reply, url, client.settings());
  return true;
}

std::map<std::string, RepoFile> files_at(const Client& client, const UploadRequest& request, const std::string& commit) {
  std::map<std::string, RepoFile> files;
  for (auto& file : list_tree(client, model_api(client, request, cat("/tree/", commit)))) {
    const std::string path = file.path;
    files.emplace(path, std::move(file));
  }
  return files;
}

// Large files are known by their SHA-256, small ones by the name that git gives them.
bool is_same(const LocalFile& ours, const RepoFile& theirs) {
  if (ours.size != theirs.size) return false;
  if (!theirs.sha256.empty()) return ours.sha256.hex() == theirs.sha256;
  return git_blob_id(base::read_file(ours.source)) == theirs.git_oid;
}

void create_repository(const Client& client, const UploadRequest& request) {
  const size_t slash = request.repo_id.find('/');
  Json question{{"name", slash == std::string::npos ? request.repo_id : request.repo_id.substr(slash + 1)},
                {"organization", slash == std::string::npos ? Json(nullptr) : Json(request.repo_id.substr(0, slash))}, {"type", "model"}};
  if (request.make_private) question["visibility"] = "private";
  const std::string url = address(client, "/api/repos/create");
  const auto reply = ask_json(client, url, question);
  if (!reply.done() && reply.outcome.status != 409) throw push_refusal(reply, url, client.settings());  // 409: made by an earlier try
}

void create_branch(const Client& client, const UploadRequest& request) {
  const std::string url = at_revision(client, request, "branch");
  const auto reply = ask_json(client, url, Json::object());
  if (!reply.done() && reply.outcome.status != 409) throw push_refusal(reply, url, client.settings());
}

// Which of the files go to the storage host; the hub decides by size and name.
struct Modes {
  std::vector<LocalFile> large, small;
};
Modes ask_modes(const Client& client, const UploadRequest& request, const std::vector<LocalFile>& files) {
  Modes modes;
  const std::string url = at_revision(client, request, "preupload");
  for (size_t first = 0; first < files.size(); first += kFilesPerQuestion) {
    const size_t end = std::min(files.size(), first + kFilesPerQuestion);
    Json list = Json::array();
    for (size_t i = first; i < end; ++i) {
      std::string sample(static_cast<size_t>(std::min<uint64_t>(kSampleBytes, files[i].size)), '\0');
      std::ifstream in(files[i].source, std::ios::binary);
      if (!in.read(sample.data(), static_cast<std::streamsize>(sample.size()))) throw base::environment_error({.what = "cannot read the file", .where = files[i].source.string()});
      list.push_back({{"path", files[i].path}, {"sample", base64(sample)}, {"size", files[i].size}});
    }
    const auto reply = ask_json(client, url, {{"files", list}});
    if (!reply.done()) throw push_refusal(reply, url, client.settings());
    const Json answer = reply_json(reply, url);
    std::map<std::string, std::string> mode;
    if (answer.is_object() && answer.contains("files") && answer.at("files").is_array())
      for (const auto& file : answer.at("files")) {
        if (file.is_object() && file.value("shouldIgnore", false))
          throw base::bad_input({.what = cat("the repository's .gitignore leaves ", file.value("path", ""), " out"), .where = printable(url), .remedy = "remove that line there"});
        if (file.is_object()) mode[file.value("path", "")] = file.value("uploadMode", "");
      }
    for (size_t i = first; i < end; ++i) {
      const std::string& found = mode[files[i].path];
      if (found != "lfs" && found != "regular")
        throw base::environment_error({.what = cat("the hub does not say how to send ", files[i].path), .where = printable(url), .expected = "lfs or regular", .found = found});
      (found == "lfs" && files[i].size > 0 ? modes.large : modes.small).push_back(files[i]);  // storage refuses empty objects
    }
  }
  return modes;
}

std::string commit_lines(const UploadRequest& request, const UploadPlan& plan, const Modes& modes) {
  auto line = [](const char* key, const Json& value) { return base::dump(Json{{"key", key}, {"value", value}}, -1) + "\n"; };
  Json header{{"summary", request.commit_message}, {"description", ""}};
  if (!plan.head.empty()) header["parentCommit"] = plan.head;
  std::string out = line("header", header);
  for (const auto& file : modes.small) out += line("file", {{"content", base64(base::read_file(file.source))}, {"path", file.path}, {"encoding", "base64"}});
  for (const auto& file : modes.large) out += line("lfsFile", {{"path", file.path}, {"algo", "sha256"}, {"oid", file.sha256.hex()}, {"size", file.size}});
  for (const auto& entry : plan.entries)
    if (entry.state == FileState::kDeleted) out += line("deletedFile", {{"path", entry.path}});
  return out;
}

// "" when the commit holds what was sent, else the first file that it does not.
std::string first_difference(const Client& client, const UploadRequest& request, const UploadPlan& plan, const std::string& commit) {
  const auto files = files_at(client, request, commit);
  for (const auto& file : request.files) {
    const auto found = files.find(file.path);
    if (found == files.end() || !is_same(file, found->second)) return file.path;
  }
  for (const auto& entry : plan.entries)
    if (entry.state == FileState::kDeleted && files.contains(entry.path)) return entry.path;
  return "";
}

// A commit that is asked for twice would be made twice, were it not for its parent: the second one finds another head. libcurl itself
// asks again when a kept connection dies without an answer. So after a lost answer, and after a conflict, the hub says what is there.
Json commit(const Client& client, const UploadRequest& request, const UploadPlan& plan, const Modes& modes) {
  const std::string url = at_revision(client, request, "commit");
  const RequestBody body = text_body(commit_lines(request, plan, modes));
  Client::Retry retry(client);
  for (;;) {
    const auto reply = client.send_once({.url = url, .headers = {"Content-Type: application/x-ndjson"}, .body = body});
    if (reply.done()) return reply_json(reply, url);
    const bool conflict = reply.outcome.status == 409 || reply.outcome.status == 412;
    if (is_transient(reply.outcome)) retry.wait(reply.outcome, url);
    else if (!conflict) throw push_refusal(reply, url, client.settings());
    const auto head = head_of(client, request);
    if (head && *head != plan.head && first_difference(client, request, plan, *head).empty()) return {{"commitOid", *head}};
    if (conflict) throw push_refusal(reply, url, client.settings());
  }
}

void compare_with_hub(const Client& client, const UploadRequest& request, UploadPlan& plan) {
  const auto there = plan.head.empty() ? std::map<std::string, RepoFile>{} : files_at(client, request, plan.head);
  std::set<std::string> ours;
  for (const auto& file : request.files) {
    ours.insert(file.path);
    const auto found = there.find(file.path);
    const auto state = found == there.end() ? FileState::kNew : is_same(file, found->second) ? FileState::kUnchanged : FileState::kChanged;
    plan.entries.push_back({.path = file.path, .size = file.size, .state = state});
  }
  for (const auto& [path, file] : there)
    if (!ours.contains(path) && request.replaces(path)) plan.entries.push_back({.path = path, .size = file.size, .state = FileState::kDeleted});
}

}  // namespace

const char* to_text(FileState state) {
  switch (state) {
    case FileState::kNew: return "new";
    case FileState::kChanged: return "changed";
    case FileState::kUnchanged: return "unchanged";
    case FileState::kDeleted: return "deleted";
  }
  throw base::internal_error("unknown file state");
}

size_t UploadPlan::count(FileState state) const {
  return static_cast<size_t>(std::count_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.state == state; }));
}

void check_repo_id(const std::string& repo_id, const std::string& where) {
  const auto parts = base::split(repo_id, '/');
  auto is_name = [](const std::string& part) {
    constexpr const char* kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    return !part.empty() && part.size() <= 96 && part.find_first_not_of(kLetters) == std::string::npos && part.front() != '-' && part.front() != '.' && part.back() != '-' &&
           part.back() != '.' && part.find("--") == std::string::npos && part.find("..") == std::string::npos && !part.ends_with(".git");
  };
  if (parts.size() <= 2 && std::all_of(parts.begin(), parts.end(), is_name)) return;
  throw base::usage_error({.what = "not the name of a model repository", .where = where, .expected = "namespace/name of letters, digits, -, _ and .", .found = repo_id});
}

void check_token(const Client& client) {
  const std::string url = address(client, "/api/whoami-v2");
  if (client.settings().token.empty())
    throw base::bad_input({.what = "there is no token to push with", .where = printable(url), .remedy = "set HF_TOKEN to a token with write access, or name another variable with --token-env"});
  const auto reply = look(client, url);
  if (!reply.done()) throw push_refusal(reply, url, client.settings());
}

UploadPlan plan_upload(const Client& client, const UploadRequest& request) {
  UploadPlan plan;
  plan.repository = repository_exists(client, request);
  if (plan.repository)
    if (const auto head = head_of(client, request)) plan.revision = true, plan.head = *head;
  compare_with_hub(client, request, plan);
  return plan;
}

UploadReport upload(const Client& client, const UploadRequest& request) {
  if (!repository_exists(client, request)) create_repository(client, request);
  if (request.revision != "main" && !head_of(client, request)) create_branch(client, request);
  UploadReport report{.plan = plan_upload(client, request), .commit = {}, .url = {}};
  const auto& plan = report.plan;
  report.commit = plan.head;
  report.url = address(client, cat("/", request.repo_id, "/tree/", request.revision));
  std::vector<LocalFile> changed;
  for (size_t i = 0; i < request.files.size(); ++i)
    if (plan.entries[i].state != FileState::kUnchanged) changed.push_back(request.files[i]);
  if (changed.empty() && plan.count(FileState::kDeleted) == 0) return report;

  const Modes modes = ask_modes(client, request, changed);
  const auto sent = send_large_files(client, request.repo_id, request.revision, modes.large);
  report.bytes_sent = sent.bytes;
  report.already_stored = sent.already_stored;
  const Json answer = commit(client, request, plan, modes);
  report.committed = true;
  report.commit = answer.is_object() ? answer.value("commitOid", "") : "";
  if (answer.is_object() && answer.contains("commitUrl")) report.url = answer.value("commitUrl", report.url);
  if (report.commit.empty()) report.commit = head_of(client, request).value_or("");
  if (const auto other = first_difference(client, request, plan, report.commit); !other.empty())
    throw base::environment_error({.what = cat("the hub's commit does not hold what was sent: ", other), .where = report.url, .remedy = "run the same command again"});
  return report;
}

}  // namespace picochat::hub
