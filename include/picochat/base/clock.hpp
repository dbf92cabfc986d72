// Time comes in through these two, so that tests and byte comparisons can leave it out.
#pragma once

#include <string>

namespace picochat::base {

double monotonic_seconds();
std::string utc_timestamp();  // "2026-01-31T12:00:00Z"

}  // namespace picochat::base
