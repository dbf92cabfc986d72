// `data climbmix-import`: the first shards of the ClimbMix corpus as documents, with a dataset pack around
// them, all in one folder.
#pragma once

#include "picochat/corpus/hf_import.hpp"

namespace picochat::corpus {

// The options of an import, less those that this one decides.
struct ClimbmixOptions : ImportOptions {
  std::string out_dir;
  int64_t shards = 1;  // files shard_00000.parquet and so on
  bool force = false;
};
const base::OptionTable<ClimbmixOptions>& climbmix_options();

// An interrupted import goes on; what is there already is replaced with `force` only. The result is that
// of hf_import.
base::CommandOutput climbmix_import(base::FileSystem& files, const ClimbmixOptions& options,
                                    const hub::Environment& environment = hub::process_environment());

}  // namespace picochat::corpus
