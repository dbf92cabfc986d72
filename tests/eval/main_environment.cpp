// MKL reads its environment once, so the tests set it before any of them runs, as main() does.
#include "picochat/model/determinism.hpp"

namespace {
const bool kDone = (picochat::model::set_deterministic_environment(), true);
}
