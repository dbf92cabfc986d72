#include "picochat/base/threads.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace picochat::base {
namespace {

TEST(Threads, EveryIndexRunsExactlyOnce) {
  for (int threads : {0, 1, 2, 7}) {
    std::vector<std::atomic<int>> runs(1000);
    parallel_for(runs.size(), [&](size_t i) { ++runs[i]; }, threads);
    for (const auto& count : runs) ASSERT_EQ(count, 1);
  }
}

TEST(Threads, NoWorkIsNoCall) {
  parallel_for(0, [](size_t) { FAIL(); });
}

TEST(Threads, NoMoreThreadsThanAskedFor) {
  std::mutex mutex;
  std::set<std::thread::id> seen;
  parallel_for(64, [&](size_t) {
    std::lock_guard lock(mutex);
    seen.insert(std::this_thread::get_id());
  }, 3);
  EXPECT_LE(seen.size(), 3u);
}

TEST(Threads, AnExceptionReachesTheCallerAfterRunningBodiesEnded) {
  std::atomic<int> running{0}, started{0};
  const auto body = [&](size_t i) {
    ++running, ++started;
    if (i == 3) {
      --running;
      throw std::runtime_error("body 3");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    --running;
  };
  try {
    parallel_for(10000, body, 4);
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "body 3");
  }
  EXPECT_EQ(running, 0);
  EXPECT_LT(started, 10000) << "the rest is not started after a failure";
}

TEST(Threads, AtLeastOneCore) { EXPECT_GE(available_cores(), 1); }

}  // namespace
}  // namespace picochat::base
