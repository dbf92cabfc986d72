#include "picochat/base/build_info.hpp"

#include "picochat_build_info.h"

namespace picochat::base {

const BuildInfo& build_info() {
  static const BuildInfo info{.version = PICOCHAT_VERSION, .git_commit = PICOCHAT_GIT_COMMIT, .compiler = PICOCHAT_COMPILER,
                              .build_type = PICOCHAT_BUILD_TYPE, .git_dirty = PICOCHAT_GIT_DIRTY != 0};
  return info;
}

Json build_info_json() {
  const auto& info = build_info();
  return {{"version", info.version}, {"git_commit", info.git_commit}, {"git_dirty", info.git_dirty}, {"compiler", info.compiler},
          {"build_type", info.build_type}};
}

}  // namespace picochat::base
