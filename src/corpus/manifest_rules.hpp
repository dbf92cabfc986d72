// The parts of a manifest that are derived from its counts.
#pragma once

#include "picochat/corpus/corpus.hpp"

namespace picochat::corpus {

// Equal for equal content in equal order under equal selection rules; file names, labels and places
// do not count.
base::Digest digest_of_corpus(const Corpus& corpus, const Manifest& manifest);

// Reasons that a user did not ask for.
bool is_unexpected_skip(const std::string& reason);

std::vector<std::string> warnings_of(const Manifest& manifest);

}  // namespace picochat::corpus
