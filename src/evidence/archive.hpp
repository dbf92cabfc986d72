// Gzipped tar archives whose bytes depend on their content alone: entries in the order given, no owner, no
// time. libarchive does both formats.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "picochat/base/digest.hpp"
#include "picochat/base/file_system.hpp"

struct archive;

namespace picochat::evidence {

class ArchiveWriter {
 public:
  // Writes under a temporary neighbour of `path`; publish() gives it its name.
  ArchiveWriter(base::FileSystem& files, const base::Path& path);
  ~ArchiveWriter();
  ArchiveWriter(const ArchiveWriter&) = delete;
  ArchiveWriter& operator=(const ArchiveWriter&) = delete;

  // Both throw EnvironmentError on a full disk.
  void begin_entry(const std::string& name, uint64_t bytes);
  void append(std::string_view bytes);
  base::Digest publish();  // of the archive's bytes

 private:
  friend struct ArchiveCallbacks;
  void check(int code);
  base::FileSystem& files_;
  base::Path path_, temporary_;
  std::unique_ptr<base::WritableFile> file_;
  base::Sha256 hash_;
  std::exception_ptr failure_;  // thrown inside a callback of the C library
  archive* archive_ = nullptr;
};

struct ArchiveEntry {
  std::string name;
  uint64_t bytes = 0;
};

// Calls begin(entry) for every regular file, then data(piece) for its bytes. BadInput naming `path` and the entry
// for a damaged archive, and for links, devices, absolute paths, ".." and names given twice.
void read_archive(const base::Path& path, const std::function<void(const ArchiveEntry&)>& begin,
                  const std::function<void(std::string_view)>& data);

}  // namespace picochat::evidence
