// Shared by the tok commands: a tokenizer in a few JSON members, and JSON as lines for people.
#pragma once

#include "picochat/tokenizer/commands.hpp"

namespace picochat::tokenizer {

base::Json description(const Tokenizer& tokenizer);
std::string lines_of(const base::Json& object);  // "key: value" lines of the plain members

}  // namespace picochat::tokenizer
