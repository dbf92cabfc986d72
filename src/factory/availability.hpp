// What the command line knows and this build or device cannot do, said before anything is read.
#pragma once

#include <string>

#include "picochat/gate/run_options.hpp"

namespace picochat::factory {

// Usage error for vocabulary that is not built.
void refuse_unbuilt(const gate::RunOptions& options, const std::string& command);

// Options that only a CUDA device gives a meaning: a precision that was asked for and would change the arithmetic
// is refused, the others are said to have no effect.
void explain_cpu_options(const gate::RunOptions& options, bool precision_was_asked, const std::string& command);

}  // namespace picochat::factory
