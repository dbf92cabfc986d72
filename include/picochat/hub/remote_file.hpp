// A file of a hub as a ByteSource: ranges are fetched when they are read, announced ones whole.
#pragma once

#include <memory>
#include <string>

#include "picochat/base/byte_source.hpp"
#include "picochat/hub/client.hpp"
#include "picochat/hub/data_files.hpp"

namespace picochat::hub {

// What was promised about the file is checked with every answer: its size, its digest (by the hub's
// header), the commit. A broken transfer is resumed where it broke. `url` is the hub's own address; the
// signed address that it leads to is kept until it is refused. Throws as Client::get does.
class RemoteFile : public base::ByteSource {
 public:
  RemoteFile(std::shared_ptr<const Client> client, std::string url, RepoFile file, std::string commit);
  ~RemoteFile() override;

  uint64_t size() const override { return file_.size; }
  void read_at(uint64_t offset, std::span<char> out) const override;
  const std::string& name() const override { return name_; }
  // Large blocks, the next ones under way while one is read. Read from the start to the end, the bytes
  // are checked against the file's SHA-256 where the hub gave one.
  std::unique_ptr<base::ByteStream> stream(uint64_t offset = 0) const override;
  // A range that is about to be read, in pieces: fetched by one request when its first byte is wanted.
  void will_read(uint64_t offset, uint64_t length) const override;

  uint64_t bytes_received() const;

 private:
  void fetch(uint64_t offset, std::span<char> out) const;
  struct Windows;
  std::shared_ptr<const Client> client_;
  std::string url_, name_;
  RepoFile file_;
  std::string commit_;
  std::unique_ptr<Windows> windows_;
};

}  // namespace picochat::hub
