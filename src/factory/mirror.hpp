// --mirror DIR: copies of a run's checkpoints off its disk. DIR is laid out as the run is, with what the run needs to go on: a folder copied
// back from it is a run that the same command continues.
#pragma once

#include "picochat/base/file_system.hpp"

namespace picochat::factory {

// Environment error when `mirror` cannot be written to, or lies in the run.
void check_mirror(base::FileSystem& files, const base::Path& mirror, const base::Path& run);

// Copies `checkpoint`, a folder somewhere below `run`, verifies the copy, and removes the copies in its folder that are older than the last two.
// What goes wrong is a warning: training goes on.
void mirror_checkpoint(base::FileSystem& files, const base::Path& mirror, const base::Path& run, const base::Path& checkpoint);

}  // namespace picochat::factory
