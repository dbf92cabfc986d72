// A connection's descriptor with deadlines: nothing waits longer than it was told.
#pragma once

#include <string>
#include <string_view>

namespace picochat::serve::http {

class Socket {
 public:
  enum class Read { kData, kEnd, kTimeout };

  explicit Socket(int descriptor, double write_seconds) : descriptor_(descriptor), write_seconds_(write_seconds) {}
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  // Waits until there is something to read, `deadline` (monotonic seconds) at most, and appends it to buffer().
  Read read_more(double deadline);
  std::string& buffer() { return buffer_; }
  // False when the client has gone or took too long.
  bool write(std::string_view bytes);
  // The client closed its side or the connection broke.
  bool gone() const;
  void shutdown();  // from another thread: what waits on the socket ends
  // After an error answer to a client that may still be sending: takes what comes for a moment, so that closing does not
  // destroy the answer on its way.
  void linger();

 private:
  const int descriptor_;
  const double write_seconds_;
  std::string buffer_;
  bool broken_ = false;
};

}  // namespace picochat::serve::http
