// Preloaded into the program by a test: each look at the wall clock is a day ahead of the last one, or a day behind it. The
// monotonic clock is left alone, as it is when a host's time is set.
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

namespace {

std::atomic<unsigned> looks{0};

timespec jumped() {
  timespec now{};
  ::syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
  now.tv_sec += looks++ % 2 ? -86400 : 86400;
  return now;
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
  if (clock != CLOCK_REALTIME) return static_cast<int>(::syscall(SYS_clock_gettime, clock, now));
  *now = jumped();
  return 0;
}

extern "C" time_t time(time_t* now) noexcept {
  const time_t seconds = jumped().tv_sec;
  if (now) *now = seconds;
  return seconds;
}

extern "C" int gettimeofday(timeval* now, void*) noexcept {
  const timespec time = jumped();
  *now = {time.tv_sec, time.tv_nsec / 1000};
  return 0;
}
