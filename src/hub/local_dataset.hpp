#pragma once

#include "picochat/hub/dataset.hpp"

namespace picochat::hub {

struct LocalOrigin {
  std::string kind, address, commit;
};
std::unique_ptr<Dataset> open_folder(const Path& root, LocalOrigin origin);

}  // namespace picochat::hub
