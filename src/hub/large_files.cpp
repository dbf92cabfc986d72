#include "hub/large_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>
#include <mutex>

#include "hub/url.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/threads.hpp"

namespace picochat::hub {
namespace {

using base::cat;
using base::Json;

constexpr size_t kBatch = 100;     // objects in one question
constexpr int kConnections = 4;    // parts of one file under way
constexpr int kRenewals = 5;       // of signed addresses, in a row without progress
constexpr const char* kLfsJson = "application/vnd.git-lfs+json";

base::Error strange_answer(const std::string& url, const std::string& expected) {
  return base::environment_error({.what = "the hub's answer about large files is not what its interface says", .where = printable(url), .expected = expected,
                                  .remedy = "check the endpoint (HF_ENDPOINT)"});
}

// What the hub wants done with one object.
struct Action {
  std::string href;
  std::vector<std::string> headers;         // to be sent as they are
  std::map<int, std::string> parts;         // address of each part, from 1; empty: one piece
  uint64_t part_size = 0;
};
struct Ticket {
  std::optional<Action> upload, verify;     // no upload: the hub has it
};

std::string checked_address(const std::string& batch_url, const Json& value) {
  const std::string url = value.is_string() ? resolve_url(batch_url, value.get<std::string>()) : "";
  if (url.empty() || (batch_url.starts_with("https:") && !url.starts_with("https:"))) throw strange_answer(batch_url, "an https address to send to");
  return url;
}

std::optional<uint64_t> whole_number(const Json& value) {
  if (value.is_number_unsigned()) return value.get<uint64_t>();
  uint64_t number = 0;
  const std::string text = value.is_string() ? value.get<std::string>() : "";
  const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
  return end.ec == std::errc{} && end.ptr == text.data() + text.size() && !text.empty() ? std::optional(number) : std::nullopt;
}

// In "multipart" the header map is no header: it holds the size of a part, and the address of each under its number.
void read_parts(const std::string& batch_url, const Json& map, uint64_t size, Action& action) {
  action.part_size = whole_number(map.at("chunk_size")).value_or(0);
  for (const auto& [key, value] : map.items())
    if (const auto number = whole_number(Json(key))) action.parts[static_cast<int>(*number)] = checked_address(batch_url, value);
  const uint64_t wanted = action.part_size ? (size + action.part_size - 1) / action.part_size : 0;
  if (wanted == 0 || action.parts.size() != wanted || action.parts.begin()->first != 1 || action.parts.rbegin()->first != static_cast<int>(wanted))
    throw strange_answer(batch_url, cat("an address for each part of ", size, " bytes"));
}

Action read_action(const std::string& batch_url, const Json& json, uint64_t size) {
  Action action{.href = checked_address(batch_url, json.value("href", Json())), .headers = {}, .parts = {}};
  const auto map = json.find("header");
  if (map == json.end() || !map->is_object()) return action;
  if (map->contains("chunk_size")) {
    read_parts(batch_url, *map, size, action);
    return action;
  }
  for (const auto& [key, value] : map->items()) {
    const std::string line = value.is_string() ? cat(key, ": ", value.get<std::string>()) : "";
    if (line.empty() || line.find_first_of("\r\n") != std::string::npos) throw strange_answer(batch_url, "header lines");
    action.headers.push_back(line);
  }
  return action;
}

Ticket read_ticket(const std::string& batch_url, const Json& object, const LocalFile& file) {
  if (const auto error = object.find("error"); error != object.end() && error->is_object())
    throw base::bad_input({.what = cat("the hub does not take ", file.path), .where = printable(batch_url), .found = error->value("message", "no reason given")});
  Ticket ticket;
  const auto actions = object.find("actions");
  if (actions == object.end() || !actions->is_object() || !actions->contains("upload")) return ticket;
  ticket.upload = read_action(batch_url, actions->at("upload"), file.size);
  if (actions->contains("verify")) ticket.verify = read_action(batch_url, actions->at("verify"), file.size);
  return ticket;
}

// Read piece by piece from any offset; the file may not change its length meanwhile.
class Source {
 public:
  explicit Source(const LocalFile& file) : file_(file), descriptor_(::open(file.source.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0) throw base::environment_error({.what = cat("cannot read the file: ", std::strerror(errno)), .where = file.source.string()});
  }
  ~Source() { ::close(descriptor_); }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  RequestBody range(uint64_t first, uint64_t size) const {
    return {.size = size, .read = [this, first](uint64_t offset, char* into, size_t room) {
              for (size_t done = 0; done < room;) {
                const ssize_t got = ::pread(descriptor_, into + done, room - done, static_cast<off_t>(first + offset + done));
                if (got < 0 && errno == EINTR) continue;
                if (got <= 0)
                  throw base::environment_error({.what = got < 0 ? cat("reading failed: ", std::strerror(errno)) : "the file grew shorter while it was sent", .where = file_.source.string()});
                done += static_cast<size_t>(got);
              }
            }};
  }

 private:
  const LocalFile& file_;
  int descriptor_;
};

class Sender {
 public:
  Sender(const Client& client, const std::string& repo_id, const std::string& revision, const std::vector<LocalFile>& files)
      : client_(client), batch_url_(cat(client.settings().endpoint, "/", repo_id, ".git/info/lfs/objects/batch")), revision_(revision),
        progress_("sending", total(files) / 1'000'000, "MB") {}

  LargeFilesSent send(const std::vector<LocalFile>& files) {
    for (size_t first = 0; first < files.size(); first += kBatch) {
      const std::vector<LocalFile> some(files.begin() + static_cast<std::ptrdiff_t>(first), files.begin() + static_cast<std::ptrdiff_t>(std::min(files.size(), first + kBatch)));
      auto tickets = ask(some);
      for (size_t i = 0; i < some.size(); ++i) send_file(some[i], std::move(tickets[i]));
    }
    sent_.bytes = bytes_;
    return sent_;
  }

 private:
  static uint64_t total(const std::vector<LocalFile>& files) {
    uint64_t sum = 0;
    for (const auto& file : files) sum += file.size;
    return sum;
  }

  std::vector<Ticket> ask(const std::vector<LocalFile>& files) const {
    Json objects = Json::array();
    for (const auto& file : files) objects.push_back({{"oid", file.sha256.hex()}, {"size", file.size}});
    const Json question{{"operation", "upload"}, {"transfers", {"basic", "multipart"}}, {"objects", objects}, {"hash_algo", "sha256"}, {"ref", {{"name", revision_}}}};
    const auto reply = client_.send({.url = batch_url_, .headers = {cat("Content-Type: ", kLfsJson), cat("Accept: ", kLfsJson)}, .body = text_body(base::dump(question, -1))});
    if (!reply.done()) throw push_refusal(reply, batch_url_, client_.settings());
    const Json answer = reply_json(reply, batch_url_);
    std::map<std::string, const Json*> found;
    if (answer.is_object() && answer.contains("objects") && answer.at("objects").is_array())
      for (const auto& object : answer.at("objects"))
        if (object.is_object() && object.contains("oid") && object.at("oid").is_string()) found[object.at("oid").get<std::string>()] = &object;
    std::vector<Ticket> tickets;
    for (const auto& file : files) {
      const auto object = found.find(file.sha256.hex());
      if (object == found.end()) throw strange_answer(batch_url_, cat("what to do with ", file.path));
      tickets.push_back(read_ticket(batch_url_, *object->second, file));
    }
    return tickets;
  }

  // 400, 401, 403 and 410 of a storage host: the signature has expired, or the parts' common name has.
  static bool wants_renewal(const Client::Reply& reply) {
    const long status = reply.outcome.status;
    return reply.outcome.failure.empty() && (status == 400 || status == 401 || status == 403 || status == 404 || status == 410);
  }

  void send_file(const LocalFile& file, Ticket ticket) {
    if (!ticket.upload) {
      ++sent_.already_stored;
      advance(file.size, false);
      return;
    }
    const Source source(file);
    for (int renewals = 0;; ++renewals) {
      const uint64_t before = bytes_;
      const auto refused = ticket.upload->parts.empty() ? send_whole(file, source, *ticket.upload) : send_parts(file, source, *ticket.upload);
      if (!refused) break;
      if (!wants_renewal(*refused) || renewals >= kRenewals) throw push_refusal(*refused, refused->outcome.final_url, client_.settings());
      retreat(bytes_ - before);
      ticket = std::move(ask({file}).front());
      if (!ticket.upload) return;  // it had arrived after all
    }
    if (ticket.verify) verify(file, *ticket.verify);
  }

  std::optional<Client::Reply> send_whole(const LocalFile& file, const Source& source, const Action& action) {
    auto reply = client_.send({.method = "PUT", .url = action.href, .headers = action.headers, .body = counted(source.range(0, file.size))});
    if (!reply.done()) return reply;
    return std::nullopt;
  }

  std::optional<Client::Reply> send_parts(const LocalFile& file, const Source& source, const Action& action) {
    const size_t count = action.parts.size();
    std::vector<std::string> tags(count);
    std::optional<Client::Reply> refused;
    std::mutex mutex;
    auto stopped = [&] {
      std::lock_guard lock(mutex);
      return refused.has_value();
    };
    base::parallel_for(count, [&](size_t i) {
      if (stopped()) return;
      const uint64_t first = i * action.part_size, size = std::min(action.part_size, file.size - first);
      auto reply = client_.send({.method = "PUT", .url = action.parts.at(static_cast<int>(i) + 1), .headers = {}, .body = counted(source.range(first, size))});
      if (reply.done()) tags[i] = reply.headers["etag"];
      if (reply.done() && tags[i].empty()) throw strange_answer(action.parts.at(static_cast<int>(i) + 1), "an ETag for each part");
      std::lock_guard lock(mutex);
      if (!reply.done() && !refused) refused = std::move(reply);
    }, kConnections);
    if (refused) return refused;
    Json parts = Json::array();
    for (size_t i = 0; i < count; ++i) parts.push_back({{"partNumber", i + 1}, {"etag", tags[i]}});
    auto reply = client_.send({.url = action.href, .headers = {cat("Content-Type: ", kLfsJson), cat("Accept: ", kLfsJson)},
                               .body = text_body(base::dump(Json{{"oid", file.sha256.hex()}, {"parts", parts}}, -1))});
    if (!reply.done()) return reply;
    return std::nullopt;
  }

  void verify(const LocalFile& file, const Action& action) const {
    auto headers = action.headers;
    headers.insert(headers.end(), {cat("Content-Type: ", kLfsJson), cat("Accept: ", kLfsJson)});
    // Where the token goes along, the hub's own header would be a second one.
    if (origin_of(action.href) == origin_of(client_.settings().endpoint) && !client_.settings().token.empty())
      std::erase_if(headers, [](const std::string& line) { return base::lower_ascii(line).starts_with("authorization:"); });
    const auto reply = client_.send({.url = action.href, .headers = headers, .body = text_body(base::dump(Json{{"oid", file.sha256.hex()}, {"size", file.size}}, -1))});
    if (!reply.done()) throw push_refusal(reply, action.href, client_.settings());
  }

  // Counts what goes out; a try that begins again takes back what it had counted.
  RequestBody counted(RequestBody body) {
    const auto seen = std::make_shared<uint64_t>(0);
    return {.size = body.size, .read = [this, seen, read = std::move(body.read)](uint64_t offset, char* into, size_t room) {
              read(offset, into, room);
              if (offset < *seen) retreat(*seen - offset);
              *seen = offset + room;
              advance(room, true);
            }};
  }
  void advance(uint64_t bytes, bool sent) {
    std::lock_guard lock(mutex_);
    done_ += bytes;
    if (sent) bytes_ += bytes;
    progress_.update(done_ / 1'000'000);
  }
  void retreat(uint64_t bytes) {
    std::lock_guard lock(mutex_);
    done_ -= bytes;
    bytes_ -= bytes;
  }

  const Client& client_;
  std::string batch_url_, revision_;
  base::Progress progress_;
  std::mutex mutex_;
  uint64_t done_ = 0, bytes_ = 0;
  LargeFilesSent sent_;
};

}  // namespace

LargeFilesSent send_large_files(const Client& client, const std::string& repo_id, const std::string& revision, const std::vector<LocalFile>& files) {
  if (files.empty()) return {};
  return Sender(client, repo_id, revision, files).send(files);
}

base::Error push_refusal(const Client::Reply& reply, const std::string& url, const Settings& settings) {
  const auto& outcome = reply.outcome;
  if (is_transient(outcome)) return refusal_error(outcome, url, settings);
  const std::string token = settings.token.empty() ? "no token was sent: set HF_TOKEN, or name a variable with --token-env" : cat("the token of ", settings.token_origin, " was sent");
  base::Error::Details details{.where = printable(url), .found = cat("HTTP ", outcome.status, outcome.refusal.empty() ? "" : ": ", outcome.refusal)};
  if (outcome.status == 401) {
    details.what = "the hub does not take the token";
    details.remedy = cat("it may have expired: make another one with write access; ", token);
  } else if (outcome.status == 403) {
    details.what = "the hub does not let this token write there";
    details.remedy = cat("use a token with write access to that namespace; ", token);
  } else if (outcome.status == 404) {
    details.what = "the hub has no such repository or revision";
    details.remedy = cat("check --repo-id and --revision; a private repository looks the same to a foreign token; ", token);
  } else if (outcome.status == 409 || outcome.status == 412) {
    details.what = "the repository was changed by somebody else meanwhile";
    details.remedy = "look at what is there and run the same command again";
  } else {
    details.what = "the hub refuses the push";
    details.remedy = "what it says is above; files that arrived are not sent again when the command is repeated";
  }
  return base::bad_input(details);
}

base::Json reply_json(const Client::Reply& reply, const std::string& url) {
  Json json = Json::parse(reply.body, nullptr, false);
  if (json.is_discarded()) throw strange_answer(url, "JSON");
  return json;
}

}  // namespace picochat::hub
