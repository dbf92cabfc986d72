// Time comes in through these, so that tests and byte comparisons can leave it out.
#pragma once

#include <string>

namespace picochat::base {

double monotonic_seconds();
double unix_seconds();  // since 1970
std::string utc_timestamp();  // "2026-01-31T12:00:00Z"

}  // namespace picochat::base
