#include "picochat/hub/download.hpp"

#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>

#include "hub/url.hpp"
#include "picochat/base/digest.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/hub/remote_file.hpp"

namespace picochat::hub {
namespace {

namespace fs = std::filesystem;
using base::cat;

constexpr size_t kPiece = 1 << 20;

void check_space(const Path& folder, uint64_t bytes) {
  struct statvfs disk {};
  if (::statvfs(folder.c_str(), &disk) != 0) return;
  const uint64_t free = static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
  if (free < bytes)
    throw base::environment_error({.what = "the disk of the hub's cache is too small for this file", .where = folder.string(), .expected = cat(base::human_bytes(bytes), " free"),
                                   .found = base::human_bytes(free), .remedy = "set HF_HUB_CACHE to a larger disk, or leave --no-streaming out"});
}

// What an earlier try left, digested; its length.
uint64_t digest_existing(const Path& path, uint64_t limit, base::Sha256& digest) {
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  if (error || size > limit) return 0;
  const base::FileSource existing(path);
  std::string piece(kPiece, '\0');
  const auto bytes = existing.stream();
  while (const size_t n = bytes->read(piece)) digest.update(std::string_view(piece).substr(0, n));
  return size;
}

void receive(base::FileSystem& files, const RemoteFile& remote, const RepoFile& file, const Path& incomplete) {
  base::Sha256 digest;
  const uint64_t start = digest_existing(incomplete, file.size, digest);
  auto out = start > 0 ? files.open_append(incomplete) : files.create(incomplete);
  const auto bytes = remote.stream(start);
  std::string piece(kPiece, '\0');
  while (const size_t n = bytes->read(piece)) {
    digest.update(std::string_view(piece).substr(0, n));
    out->append(std::string_view(piece).substr(0, n));
  }
  out->sync();
  out->close();
  const std::string found = digest.finish().hex();
  if (file.sha256.empty() || found == file.sha256) return;
  files.remove_all(incomplete);
  throw base::environment_error({.what = "the file's bytes do not have the digest that the hub promised", .where = remote.name(), .expected = file.sha256, .found = found,
                                 .remedy = "run the command again; if it stays so, the server or a proxy alters the file"});
}

}  // namespace

Path cache_folder(const Settings& settings, const std::string& dataset) { return settings.cache / cat("datasets--", base::replace_all(dataset, "/", "--")); }

std::string file_url(const Settings& settings, const std::string& dataset, const std::string& commit, const std::string& path) {
  return cat(settings.endpoint, "/datasets/", dataset, "/resolve/", commit, "/", percent_encoded(path));
}

Path fetch_into_cache(base::FileSystem& files, const std::shared_ptr<const Client>& client, const std::string& dataset, const std::string& commit, const RepoFile& file) {
  const Path folder = cache_folder(client->settings(), dataset), link = folder / "snapshots" / commit / file.path;
  std::error_code ignored;
  if (fs::is_regular_file(link, ignored) && fs::file_size(link, ignored) == file.size) return link;
  const std::string name = !file.sha256.empty() ? file.sha256 : !file.git_oid.empty() ? file.git_oid : base::sha256(cat(commit, "/", file.path)).hex();
  const Path blob = folder / "blobs" / name, incomplete = blob.string() + ".picochat.incomplete";
  files.make_directories(blob.parent_path());
  files.make_directories(link.parent_path());
  if (!fs::is_regular_file(blob, ignored) || fs::file_size(blob, ignored) != file.size) {
    check_space(blob.parent_path(), file.size);
    receive(files, RemoteFile(client, file_url(client->settings(), dataset, commit, file.path), file, commit), file, incomplete);
    files.rename_replacing(incomplete, blob);
    files.sync_directory(blob.parent_path());
  }
  fs::remove(link, ignored);
  fs::create_symlink(fs::path(blob).lexically_relative(link.parent_path()), link, ignored);
  return fs::exists(link, ignored) ? link : blob;
}

}  // namespace picochat::hub
