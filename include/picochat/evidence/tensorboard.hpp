// TensorBoard event files: the curves of metrics.jsonl for those who watch many runs in TensorBoard. A copy for the eye;
// nothing reads it back, and it is no evidence.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"

namespace picochat::evidence {

class TensorBoardLog {
 public:
  // Begins <folder>/events.out.tfevents.<time>.<host>.<process>. `after_step`: training goes on behind this step, and what earlier
  // files of the folder say of later ones is no longer shown. wall_time: seconds since 1970.
  TensorBoardLog(base::FileSystem& files, const base::Path& folder, int64_t after_step, double wall_time);

  // The scalars of a "step", "eval" or "spike" event of metrics.jsonl; others have none.
  void event(const base::Json& event, double wall_time);

 private:
  std::unique_ptr<base::WritableFile> file_;
};

// One record: length, its checksum, data, its checksum (masked CRC-32C, little-endian).
std::string tf_record(const std::string& data);

}  // namespace picochat::evidence
