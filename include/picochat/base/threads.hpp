// Parallel loops over index ranges. The work is cut by the caller's grain, never by the number of
// threads, so results that are combined in index order do not depend on the machine.
#pragma once

#include <cstddef>
#include <functional>

namespace picochat::base {

// Cores this process may use (affinity and cgroup quota respected), at least 1.
int available_cores();

// Calls body(i) for i in [0, count), at most `threads` at once (0: available_cores()). The first
// exception thrown by a body is rethrown here after the others have ended.
void parallel_for(size_t count, const std::function<void(size_t)>& body, int threads = 0);

}  // namespace picochat::base
