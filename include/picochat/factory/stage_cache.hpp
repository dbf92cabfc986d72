// What has been done in a run directory, and from what. A stage's key is made of its inputs'
// digests, the options that change its result and a semantics number that is bumped by hand when the
// stage's meaning changes; never of the program's version. Same key: the stage is skipped.
#pragma once

#include <string>
#include <vector>

#include "picochat/base/digest.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"

namespace picochat::factory {

struct StageKey {
  std::string stage;
  int semantics = 1;
  base::Json inputs = base::Json::object();   // name -> digest
  base::Json options = base::Json::object();  // the options that change the result
  base::Json to_json() const;
  base::Digest digest() const;
};

class StageCache {
 public:
  // `folder`: <run>/stages; one file per stage.
  StageCache(base::FileSystem& files, base::Path run_dir);

  enum class State { kAbsent, kStarted, kDone };
  State state(const std::string& stage) const;
  // Done, with this very key, and every recorded output still there.
  bool is_current(const StageKey& key) const;
  // What differs from the recorded key, one line each: "base_steps: 100 -> 200".
  std::vector<std::string> differences(const StageKey& key) const;

  void record_started(const StageKey& key);
  // outputs: name -> path relative to the run directory (files or artifact folders), digested here.
  void record_done(const StageKey& key, const std::vector<base::Path>& outputs);
  base::Json outputs(const std::string& stage) const;  // [{path, sha256}]
  void forget(const std::string& stage);

 private:
  base::Path file(const std::string& stage) const;
  base::Json read(const std::string& stage) const;  // null when absent or unreadable
  base::FileSystem& files_;
  base::Path run_dir_;
};

// SHA-256 of a file, or of the manifest of an artifact folder.
base::Digest digest_of(const base::Path& path);

}  // namespace picochat::factory
