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
    t.add("max_rows", &O::max_rows, "rows to look at; a rerun with more adds to the import").at_least(1);
    t.add("min_chars", &O::min_chars, "shortest text to accept, white space at its ends not counted").at_least(1);
    t.add("document_shard_rows", &O::document_shard_rows, "documents in a shard").at_least(1).at_most(1000000);
    t.add("force", &O::force, "replace what an earlier import and its pack left in the folder");
    t.add("streaming", &O::streaming, "fetch only what is needed; --no-streaming fetches whole files first, into the cache of the hub");
    t.add("revision", &O::revision, "branch, tag or commit; the commit it names is what is read and recorded").metavar = "NAME";
    t.add("token_env", &O::token_env, "environment variable with the token").metavar = "NAME";
    t.add("endpoint", &O::endpoint, "address of the hub (default: HF_ENDPOINT)").metavar = "URL";
    t.add("jobs", &O::jobs, "files and row groups fetched and decoded at once").at_least(1).at_most(256);
    t.add("json", &O::json, "print the report as JSON");
    return t;
  }();
  return table;
}

base::CommandOutput climbmix_import(base::FileSystem& files, const ClimbmixOptions& options, const hub::Environment& environment) {
  const base::Path folder = options.out_dir;
  ImportOptions import{.dataset = kDataset,
                       .out = (folder / "corpus.txt").string(),
                       .document_shard_rows = options.document_shard_rows,
                       .max_rows = options.max_rows,
                       .min_chars = options.min_chars,
                       .streaming = options.streaming,
                       .pack_out = options.out_dir,
                       .pack_name = "climbmix",
                       .pack_description = base::cat("Documents of ", kDataset, "."),
                       .pack_force = options.force,
                       .revision = options.revision,
                       .token_env = options.token_env,
                       .endpoint = options.endpoint,
                       .fresh = options.force,
                       .jobs = options.jobs,
                       .json = options.json};
  for (int64_t shard = 0; shard < options.shards; ++shard) import.data_files.push_back(base::cat("shard_", std::to_string(100000 + shard).substr(1), ".parquet"));
  return hf_import(files, import, environment);
}

}  // namespace picochat::corpus
