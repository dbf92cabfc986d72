#include "support/project.hpp"

namespace picochat {

const char* const kSourceDir = PICOCHAT_SOURCE_DIR;
const char* const kProgram = PICOCHAT_PROGRAM;

}  // namespace picochat
