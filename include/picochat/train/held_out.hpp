// Which of the examples of a fine-tuning stage are held out for validation.
#pragma once

#include <string>
#include <vector>

#include "picochat/base/random.hpp"

namespace picochat::train {

struct HeldOut {
  std::vector<bool> examples;  // true: held out
  std::string method;          // "group", "random", or "single_example": nothing can be held out
};

// About `fraction` of the examples, at least one: whole groups in a random order when every example has a group and there are two or
// more, else single examples. `groups`: one name an example, empty: none.
HeldOut choose_held_out(const std::vector<std::string>& groups, base::Random random, double fraction);

}  // namespace picochat::train
