#include "mirror.hpp"

#include <algorithm>

#include "picochat/base/artifact.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/train/checkpoint.hpp"

namespace picochat::factory {
namespace {

using base::cat;
using base::Path;

constexpr size_t kPiece = size_t{64} << 20;
constexpr size_t kKept = 2;

void copy_file(base::FileSystem& files, const Path& from, const Path& to) {
  const base::MappedFile source(from);
  auto out = files.create(to);
  for (std::string_view rest = source.bytes(); !rest.empty(); rest.remove_prefix(std::min(kPiece, rest.size()))) out->append(rest.substr(0, kPiece));
  out->sync();
  out->close();
}

// What stands beside the checkpoints: small, and rewritten as a whole.
void copy_records(base::FileSystem& files, const Path& mirror, const Path& run) {
  for (const char* name : {"run.json", "metrics.jsonl"})
    if (std::filesystem::exists(run / name)) base::write_file(files, mirror / name, base::read_file(run / name));
  if (!std::filesystem::is_directory(run / "stages")) return;
  files.make_directories(mirror / "stages");
  for (const auto& entry : std::filesystem::directory_iterator(run / "stages"))
    if (entry.is_regular_file()) base::write_file(files, mirror / "stages" / entry.path().filename(), base::read_file(entry.path()));
}

}  // namespace

void check_mirror(base::FileSystem& files, const Path& mirror, const Path& run) {
  const auto inside = std::filesystem::weakly_canonical(mirror).lexically_relative(std::filesystem::weakly_canonical(run));
  if (!inside.empty() && inside.begin()->string() != "..")
    throw base::usage_error({.what = "the mirror lies in the run itself", .where = cat("--mirror ", mirror.string()), .remedy = "choose a folder on another disk"});
  files.make_directories(mirror);
  base::write_file(files, mirror / ".picochat-mirror", cat(std::filesystem::absolute(run).filename().string(), "\n"));
}

void mirror_checkpoint(base::FileSystem& files, const Path& mirror, const Path& run, const Path& checkpoint) {
  try {
    const Path copy = mirror / checkpoint.lexically_relative(run), folder = copy.parent_path();
    files.make_directories(folder);
    base::sweep_leftovers(files, folder);
    if (std::filesystem::exists(copy)) base::remove_published(files, copy);  // of an earlier, undone course of the run
    base::publish_directory(files, copy, [&](const Path& temporary) {
      for (const auto& name : base::list_files(checkpoint)) {
        files.make_directories((temporary / name).parent_path());
        copy_file(files, checkpoint / name, temporary / name);
      }
    });
    base::verify_artifact(copy, train::kCheckpointKind);
    copy_records(files, mirror, run);
    train::CheckpointSeries(files, folder).prune(kKept);
  } catch (const std::exception& error) {
    if (!std::filesystem::exists(checkpoint)) return;  // it was replaced by a newer one meanwhile, which comes next
    base::warn(cat("--mirror: ", checkpoint.filename().string(), " was not copied: ", error.what()));
  }
}

}  // namespace picochat::factory
