// The list of words as one text, separated by white space.
#pragma once

namespace picochat::tasks {

extern const char* const kWordListText;

}  // namespace picochat::tasks
