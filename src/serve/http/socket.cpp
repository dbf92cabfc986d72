#include "serve/http/socket.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "picochat/base/clock.hpp"

namespace picochat::serve::http {
namespace {

// 1: ready, 0: too late, -1: broken.
int wait_for(int descriptor, short events, double deadline) {
  for (;;) {
    const double left = deadline - base::monotonic_seconds();
    if (left <= 0) return 0;
    pollfd entry{descriptor, events, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(std::min(left * 1000 + 1, 60'000.0)));
    if (ready > 0) return 1;
    if (ready < 0 && errno != EINTR) return -1;
  }
}

}  // namespace

Socket::~Socket() { ::close(descriptor_); }

Socket::Read Socket::read_more(double deadline) {
  const int ready = wait_for(descriptor_, POLLIN, deadline);
  if (ready <= 0) return ready == 0 ? Read::kTimeout : Read::kEnd;
  char bytes[16 << 10];
  const ssize_t got = ::recv(descriptor_, bytes, sizeof bytes, 0);
  if (got <= 0) return Read::kEnd;
  buffer_.append(bytes, static_cast<size_t>(got));
  return Read::kData;
}

bool Socket::write(std::string_view bytes) {
  const double deadline = base::monotonic_seconds() + write_seconds_;
  while (!broken_ && !bytes.empty()) {
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
    else if (errno == EAGAIN || errno == EWOULDBLOCK) broken_ = wait_for(descriptor_, POLLOUT, deadline) <= 0;
    else if (errno != EINTR) broken_ = true;
  }
  return !broken_;
}

bool Socket::gone() const {
  if (broken_) return true;
  pollfd entry{descriptor_, POLLRDHUP, 0};
  return ::poll(&entry, 1, 0) > 0 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void Socket::shutdown() { ::shutdown(descriptor_, SHUT_RDWR); }

void Socket::linger() {
  ::shutdown(descriptor_, SHUT_WR);
  const double deadline = base::monotonic_seconds() + 1;
  while (read_more(deadline) == Read::kData) buffer_.clear();
}

}  // namespace picochat::serve::http
