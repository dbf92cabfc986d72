// What this binary was built from, embedded at build time.
#pragma once

#include <string>

#include "picochat/base/json.hpp"

namespace picochat::base {

struct BuildInfo {
  std::string version, git_commit, compiler, build_type;
  bool git_dirty = false;
};
const BuildInfo& build_info();
Json build_info_json();

}  // namespace picochat::base
