// HTTP as hubs need it: the token goes to the hub's own origin and nowhere else, redirects are followed
// by hand, failures that may pass are retried with the wait that the server asks for.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "picochat/base/error.hpp"
#include "picochat/hub/settings.hpp"

namespace picochat::hub {

class Transport;
struct Head;

using Headers = std::map<std::string, std::string>;  // names in lower case; a repeated header is joined by ", "

// What a request carries. `read` fills `room` bytes from `offset` on; it is called again from the start when a try is repeated.
struct RequestBody {
  uint64_t size = 0;
  std::function<void(uint64_t offset, char* into, size_t room)> read;
};
RequestBody text_body(std::string text);

class Client {
 public:
  explicit Client(Settings settings);
  ~Client();
  const Settings& settings() const { return settings_; }

  struct Answer {
    std::string body, link;     // link: the header that leads to the next page
    std::string revision;       // X-Revision of the conversion service
  };
  // A whole answer of at most `limit` bytes. BadInput for 401, 403, 404 and other refusals, environment
  // error for what did not pass after all retries.
  Answer get(const std::string& url, size_t limit) const;

  // One try at the body of `url` from byte `first` on (`length` 0: to the end), redirects followed.
  struct Try {
    long status = 0;            // of the last answer; 0 when none came
    std::string final_url;      // where the body came from
    std::string failure;        // no complete answer came
    std::string refusal;        // what an error answer says, one line
    std::optional<double> wait; // what it asks for
  };
  // Sees the first answer's head (the hub's own, with its promises about the file), then body pieces.
  struct Receiver {
    std::function<void(const Head&)> promises;
    std::function<bool(const Head&, std::string_view)> body;
  };
  Try attempt(const std::string& url, uint64_t first, uint64_t length, const Receiver& receiver) const;

  // A request with a body, or with another method than GET. Redirects that keep the method are followed; the token goes to the
  // hub's own origin alone, the given headers to the first host alone.
  struct Request {
    std::string method = "POST", url;
    std::vector<std::string> headers;
    std::optional<RequestBody> body;
  };
  struct Reply {
    Try outcome;
    std::string body;  // at most 64 MiB
    Headers headers;
    bool done() const { return outcome.failure.empty() && outcome.status >= 200 && outcome.status < 300; }
  };
  Reply send_once(const Request& request) const;
  // Until there is an answer that another try would not change: any status, which the caller judges. For requests that may
  // arrive twice without harm. Environment error when patience is at an end.
  Reply send(const Request& request) const;

  // Waits before the next try; throws the error when patience is at an end. A wait that one thread was
  // asked for holds for all of them.
  class Retry {
   public:
    explicit Retry(const Client& client) : client_(client) {}
    void progressed() { failures_ = 0; }
    void wait(const Try& last, const std::string& url);

   private:
    const Client& client_;
    int failures_ = 0;
  };

 private:
  struct Shared;
  Settings settings_;
  std::string origin_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<Shared> shared_;
};

bool is_transient(const Client::Try& outcome);  // worth another try

// The error of a try that will not be repeated.
base::Error refusal_error(const Client::Try& outcome, const std::string& url, const Settings& settings);

}  // namespace picochat::hub
