// `run bundle`: what the bundle holds beyond the run directory is made here, from the run's own files.
#pragma once

#include "picochat/evidence/bundle.hpp"

namespace picochat::factory {

base::CommandOutput bundle_run(base::FileSystem& files, const evidence::BundleOptions& options);

}  // namespace picochat::factory
