#include "hub/transfer.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <new>

#include "picochat/base/build_info.hpp"
#include "picochat/base/clock.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/text.hpp"

namespace picochat::hub {
namespace {

constexpr size_t kLargestHead = 256 << 10;
constexpr uint64_t kSmallBody = 1 << 20;

struct State {
  const BodySink* sink = nullptr;
  const RequestBody* body = nullptr;
  uint64_t sent = 0;
  double answer_seconds = 0;
  Head head;
  size_t head_bytes = 0;
  double last_byte = 0, stall_seconds = 10;
  bool stopped = false, stalled = false, interrupted = false, head_too_large = false;
  std::exception_ptr thrown;  // by the sink: carried past libcurl's C frames
};

size_t on_header(char* data, size_t one, size_t count, void* user) {
  auto& state = *static_cast<State*>(user);
  const size_t bytes = one * count;
  state.last_byte = base::monotonic_seconds();
  state.head_bytes += bytes;
  if (state.head_bytes > kLargestHead) {
    state.head_too_large = true;
    return 0;
  }
  const std::string_view line(data, bytes);
  if (line.starts_with("HTTP/")) {  // also after "100 Continue": the last head counts
    state.head = {};
    if (const size_t space = line.find(' '); space != std::string_view::npos) state.head.status = std::strtol(std::string(line.substr(space + 1, 3)).c_str(), nullptr, 10);
    return bytes;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return bytes;
  std::string& value = state.head.headers[base::lower_ascii(line.substr(0, colon))];
  if (!value.empty()) value += ", ";
  value += base::trim(line.substr(colon + 1));
  return bytes;
}

size_t on_body(char* data, size_t one, size_t count, void* user) {
  auto& state = *static_cast<State*>(user);
  state.last_byte = base::monotonic_seconds();
  try {
    if ((*state.sink)(state.head, {data, one * count})) return one * count;
    state.stopped = true;
  } catch (...) {
    state.thrown = std::current_exception();
  }
  return 0;  // fewer bytes than given: libcurl ends the transfer
}

size_t on_send(char* into, size_t one, size_t count, void* user) {
  auto& state = *static_cast<State*>(user);
  state.last_byte = base::monotonic_seconds();
  try {
    const size_t room = static_cast<size_t>(std::min<uint64_t>(one * count, state.body->size - state.sent));
    if (room > 0) state.body->read(state.sent, into, room);
    state.sent += room;
    // The server may have to digest what it got before it says a word.
    if (state.sent == state.body->size) state.last_byte += std::max(0.0, state.answer_seconds - state.stall_seconds);
    return room;
  } catch (...) {
    state.thrown = std::current_exception();
    return CURL_READFUNC_ABORT;
  }
}

// A kept connection that died is noticed after the first bytes went out: libcurl sends again from the start.
int on_rewind(void* user, curl_off_t offset, int origin) {
  if (origin != SEEK_SET || offset < 0) return CURL_SEEKFUNC_FAIL;
  static_cast<State*>(user)->sent = static_cast<uint64_t>(offset);
  return CURL_SEEKFUNC_OK;
}

// Called about once a second even when nothing arrives. libcurl's own low-speed limit averages over several
// seconds and so notices a stall that follows a burst late.
int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& state = *static_cast<State*>(user);
  if (base::pending_signal()) return state.interrupted = true;
  state.stalled = state.stall_seconds > 0 && base::monotonic_seconds() - state.last_byte > state.stall_seconds;
  return state.stalled;
}

struct List {
  curl_slist* head = nullptr;
  ~List() { curl_slist_free_all(head); }
  void add(const std::string& line) { head = curl_slist_append(head, line.c_str()); }
};

void initialize_once() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) throw std::bad_alloc();
}

}  // namespace

// An easy handle, given back with its open connection unless the transfer was cut off.
class Transport::Lease {
 public:
  explicit Lease(Transport& owner) : owner_(owner) {
    std::lock_guard lock(owner_.mutex_);
    if (!owner_.idle_.empty()) {
      handle_ = owner_.idle_.back();
      owner_.idle_.pop_back();
    } else {
      handle_ = curl_easy_init();
    }
    if (!handle_) throw std::bad_alloc();
  }
  ~Lease() {
    curl_easy_reset(handle_);  // options only; connections stay
    std::lock_guard lock(owner_.mutex_);
    owner_.idle_.push_back(handle_);
  }
  CURL* get() const { return handle_; }

 private:
  Transport& owner_;
  CURL* handle_ = nullptr;
};

Transport::Transport() { initialize_once(); }

Transport::~Transport() {
  for (void* handle : idle_) curl_easy_cleanup(handle);
}

Outcome Transport::exchange(const Exchange& request, const BodySink& sink) {
  base::throw_if_interrupted();
  const Lease lease(*this);
  CURL* easy = lease.get();
  State state;
  state.sink = &sink;
  state.stall_seconds = request.stall_seconds;
  state.last_byte = base::monotonic_seconds() + request.connect_seconds;  // connecting has its own limit
  char message[CURL_ERROR_SIZE] = {};
  List headers;
  for (const auto& line : request.headers) headers.add(line);
  // A storage host may refuse a large body by its head alone; a small one is not worth the question.
  if (request.body && request.body->size <= kSmallBody) headers.add("Expect:");
  const std::string agent = base::cat("picochat/", base::build_info().version);

  auto set = [&](CURLoption option, auto value) { curl_easy_setopt(easy, option, value); };
  set(CURLOPT_URL, request.url.c_str());
#if LIBCURL_VERSION_NUM >= 0x075500
  set(CURLOPT_PROTOCOLS_STR, "http,https");
#else
  set(CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_USERAGENT, agent.c_str());
  set(CURLOPT_HTTPHEADER, headers.head);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_seconds * 1000));
  set(CURLOPT_ERRORBUFFER, message);
  set(CURLOPT_HEADERFUNCTION, on_header);
  set(CURLOPT_HEADERDATA, &state);
  set(CURLOPT_WRITEFUNCTION, on_body);
  set(CURLOPT_WRITEDATA, &state);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, on_progress);
  set(CURLOPT_XFERINFODATA, &state);
  set(CURLOPT_BUFFERSIZE, 256L << 10);
  if (request.body) {
    state.body = &*request.body;
    state.answer_seconds = request.answer_seconds;
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body->size));
    set(CURLOPT_READFUNCTION, on_send);
    set(CURLOPT_READDATA, &state);
    set(CURLOPT_SEEKFUNCTION, on_rewind);
    set(CURLOPT_SEEKDATA, &state);
    set(CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
  }
  if (request.method != "GET") set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  const CURLcode code = curl_easy_perform(easy);

  if (state.thrown) std::rethrow_exception(state.thrown);
  if (state.interrupted) base::throw_if_interrupted();
  Outcome out{.head = std::move(state.head), .stopped = state.stopped};
  if (code == CURLE_OK || state.stopped) return out;
  if (state.stalled) out.failure = base::cat(request.body ? "nothing moved for " : "no byte arrived for ", base::fixed(request.stall_seconds, 1), " s");
  else if (state.head_too_large) out.failure = "the answer's head is larger than 256 KiB";
  else out.failure = message[0] ? message : curl_easy_strerror(code);
  return out;
}

}  // namespace picochat::hub
