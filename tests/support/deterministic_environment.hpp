// MKL reads its environment once, so a test program sets it before any test runs, as main() does.
#pragma once

#include "picochat/model/determinism.hpp"

namespace picochat::test {

inline const bool kDeterministicEnvironment = (model::set_deterministic_environment(), true);

}  // namespace picochat::test
