#include "picochat/corpus/climbmix.hpp"

#include "picochat/base/text.hpp"

namespace picochat::corpus {
namespace {

constexpr const char* kDataset = "karpathy/climbmix-400b-shuffle";
constexpr int64_t kShardsOnTheHub = 6543;

}  // namespace

const base::OptionTable<ClimbmixOptions>& climbmix_options() {
  static const base::OptionTable<ClimbmixOptions> table = [] {
    using O = ClimbmixOptions;
    base::OptionTable<O> t;
    t.add("out_dir", &O::out_dir, "folder for the documents, corpus.txt, the report and the pack").must().metavar = "DIR";
    t.add("shards", &O::shards, "files of the data set to read, from the first on").at_least(1).at_most(kShardsOnTheHub);
    t.add("force", &O::force, "replace what an earlier import and its pack left in the folder");
    for (const char* field : {"max_rows", "min_chars", "document_shard_rows", "streaming", "revision", "token_env", "endpoint", "jobs", "json"}) t.adopt(import_options(), field, field);
    return t;
  }();
  return table;
}

base::CommandOutput climbmix_import(base::FileSystem& files, const ClimbmixOptions& options, const hub::Environment& environment) {
  ImportOptions import = options;
  import.dataset = kDataset;
  import.out = (base::Path(options.out_dir) / "corpus.txt").string();
  import.pack_out = options.out_dir;
  import.pack_name = "climbmix";
  import.pack_description = base::cat("Documents of ", kDataset, ".");
  import.fresh = import.pack_force = options.force;
  for (int64_t shard = 0; shard < options.shards; ++shard) import.data_files.push_back(base::cat("shard_", base::zero_padded(static_cast<uint64_t>(shard), 5), ".parquet"));
  return hf_import(files, import, environment);
}

}  // namespace picochat::corpus
