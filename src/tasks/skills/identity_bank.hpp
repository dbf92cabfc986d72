// What picochat says about itself: topics with questions and honest answers. Each answer holds both
// phrases of its topic, which evaluation looks for.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace picochat::tasks {

struct IdentityTopic {
  const char* stage;
  bool release;  // part of the release bank too
  std::vector<std::string> phrases;
  std::vector<const char*> answers;
  std::vector<const char*> train, eval;  // questions; no wording occurs in both
};

std::span<const IdentityTopic> identity_topics();

}  // namespace picochat::tasks
