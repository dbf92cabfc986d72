#include "evidence/archive.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <set>
#include <utility>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

// libarchive keeps this beside its table of formats, which names every writer and thereby every compressor. Defined here, the
// static library gives its tar and gzip alone, and needs no library besides zlib.
extern "C" void __archive_write_entry_filetype_unsupported(archive* handle, archive_entry* entry, const char* format) {
  archive_set_error(handle, EINVAL, "%s: %s archives cannot hold entries of this kind", archive_entry_pathname(entry), format);
}

namespace picochat::evidence {

using base::cat;

// libarchive calls these; an exception must not cross it, so it waits in the writer.
struct ArchiveCallbacks {
  static la_ssize_t write(archive* handle, void* self, const void* bytes, size_t size) {
    auto& writer = *static_cast<ArchiveWriter*>(self);
    try {
      const std::string_view piece(static_cast<const char*>(bytes), size);
      writer.file_->append(piece);
      writer.hash_.update(piece);
      return static_cast<la_ssize_t>(size);
    } catch (...) {
      writer.failure_ = std::current_exception();
      archive_set_error(handle, ENOSPC, "writing failed");
      return -1;
    }
  }
};

ArchiveWriter::ArchiveWriter(base::FileSystem& files, const base::Path& path)
    : files_(files), path_(path), temporary_(path.parent_path() / cat(".tmp-", path.filename().string(), "-", static_cast<int>(::getpid()))) {
  files_.make_directories(path_.parent_path());
  file_ = files_.create(temporary_);
  archive_ = archive_write_new();
  check(archive_write_set_format_pax_restricted(archive_));
  check(archive_write_add_filter_gzip(archive_));
  check(archive_write_set_options(archive_, "gzip:!timestamp,gzip:compression-level=3"));
  archive_write_set_bytes_in_last_block(archive_, 1);
  check(archive_write_open(archive_, this, nullptr, ArchiveCallbacks::write, nullptr));
}

ArchiveWriter::~ArchiveWriter() {
  if (archive_) {
    archive_write_fail(archive_);
    archive_write_free(archive_);
  }
  std::error_code ignored;
  if (file_) std::filesystem::remove(temporary_, ignored);
}

void ArchiveWriter::check(int code) {
  if (code >= ARCHIVE_WARN) return;
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  throw base::environment_error({.what = cat("cannot write the archive: ", archive_error_string(archive_)), .where = path_.string()});
}

void ArchiveWriter::begin_entry(const std::string& name, uint64_t bytes) {
  const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(archive_entry_new(), archive_entry_free);
  archive_entry_set_pathname(entry.get(), name.c_str());
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(bytes));
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0644);
  archive_entry_set_mtime(entry.get(), 0, 0);
  check(archive_write_header(archive_, entry.get()));
}

void ArchiveWriter::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const la_ssize_t n = archive_write_data(archive_, bytes.data(), bytes.size());
    if (n <= 0) check(ARCHIVE_FATAL);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

base::Digest ArchiveWriter::publish() {
  check(archive_write_close(archive_));
  archive_write_free(std::exchange(archive_, nullptr));
  file_->sync();
  file_->close();
  files_.rename_replacing(temporary_, path_);
  file_.reset();
  files_.sync_directory(path_.parent_path());
  return hash_.finish();
}

namespace {

std::string refusal(archive_entry* entry, const std::string& name) {
  if (archive_entry_hardlink(entry) || archive_entry_symlink(entry)) return "a link";
  const auto type = archive_entry_filetype(entry);
  if (type != AE_IFREG && type != AE_IFDIR) return "neither a file nor a folder";
  if (name.empty()) return "an entry without a name";
  if (name.front() == '/') return "an absolute path";
  for (const auto& part : base::split(name, '/'))
    if (part == "..") return "a path that leaves the archive";
  return "";
}

}  // namespace

void read_archive(const base::Path& path, const std::function<void(const ArchiveEntry&)>& begin,
                  const std::function<void(std::string_view)>& data) {
  const std::unique_ptr<archive, int (*)(archive*)> reader(archive_read_new(), archive_read_free);
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_format_tar(reader.get());
  auto damaged = [&](const std::string& where) {
    const char* reason = archive_error_string(reader.get());
    return base::bad_input({.what = cat("not a whole .tgz archive: ", reason ? reason : "unknown damage"), .where = where,
                            .remedy = "copy it again from where it was made, or make it again with `picochat run bundle`"});
  };
  if (archive_read_open_filename(reader.get(), path.c_str(), 1 << 18) != ARCHIVE_OK) throw damaged(path.string());
  std::set<std::string> seen;
  std::array<char, 1 << 16> buffer;
  archive_entry* entry = nullptr;
  for (;;) {
    const int code = archive_read_next_header(reader.get(), &entry);
    if (code == ARCHIVE_EOF) break;
    if (code < ARCHIVE_WARN) throw damaged(path.string());
    const char* raw = archive_entry_pathname(entry);
    const std::string name = raw ? raw : "";
    const std::string where = cat(path.string(), ": ", name);
    if (const std::string reason = refusal(entry, name); !reason.empty())
      throw base::bad_input({.what = "the archive holds what no bundle has", .where = where, .found = reason, .remedy = "do not unpack it; ask for one made by `picochat run bundle`"});
    if (archive_entry_filetype(entry) == AE_IFDIR) continue;
    if (!seen.insert(name).second) throw base::bad_input({.what = "the archive holds one name twice", .where = where});
    begin({name, static_cast<uint64_t>(archive_entry_size(entry))});
    for (;;) {
      const la_ssize_t n = archive_read_data(reader.get(), buffer.data(), buffer.size());
      if (n < 0) throw damaged(where);
      if (n == 0) break;
      data({buffer.data(), static_cast<size_t>(n)});
    }
  }
  if (seen.empty()) throw base::bad_input({.what = "the archive is empty", .where = path.string(), .remedy = "make it again with `picochat run bundle`"});
}

}  // namespace picochat::evidence
