// Ranks as threads of the test program: the same code and the same sockets as ranks that are processes.
#pragma once

#include <cstdlib>
#include <exception>
#include <functional>
#include <thread>
#include <vector>

#include "picochat/train/process_group.hpp"

namespace picochat::train::testing {

// Calls body(group) on `world` ranks at once; the first exception is thrown here.
inline void in_ranks(int world, const std::function<void(const std::shared_ptr<ProcessGroup>&)>& body, GroupOptions options = {}) {
  // LibTorch 2.11 keeps one record of collectives per process and changes a map of it outside its lock: groups of several threads race there.
  // Without entries there is no record. Ranks that are processes have one group each.
  ::setenv("TORCH_FR_BUFFER_SIZE", "0", 1);
  const auto store = JobStore::host(0);
  std::vector<std::exception_ptr> failures(static_cast<size_t>(world));
  std::vector<std::thread> ranks;
  for (int rank = 0; rank < world; ++rank)
    ranks.emplace_back([&, rank] {
      try {
        body(ProcessGroup::connect({.rank = rank, .world_size = world, .local_rank = rank, .local_world_size = world, .port = store->port()}, options));
      } catch (...) {
        failures[static_cast<size_t>(rank)] = std::current_exception();
      }
    });
  for (auto& rank : ranks) rank.join();
  for (const auto& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

}  // namespace picochat::train::testing
