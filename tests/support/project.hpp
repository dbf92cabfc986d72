// Where the project's own files are. Defined in one small source file, so that the compiler cache
// serves every other test in any checkout.
#pragma once

namespace picochat {

extern const char* const kSourceDir;  // the checkout
extern const char* const kProgram;    // the picochat executable of this build; empty where it is not built

}  // namespace picochat
