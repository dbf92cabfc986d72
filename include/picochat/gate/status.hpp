// The words of verdicts.
#pragma once

#include <string>

namespace picochat::gate {

// research: findings are reported; first_release and skill_release: claims are made, so quality
// thresholds and missing measurements block.
enum class GateProfile { kResearch, kFirstRelease, kSkillRelease };
std::string to_text(GateProfile profile);  // "research" "first_release" "skill_release"
GateProfile parse_gate_profile(const std::string& text, const std::string& where);
inline bool is_release(GateProfile profile) { return profile != GateProfile::kResearch; }

enum class CheckStatus { kPass, kWarn, kBlock, kNotMeasured, kDeferredToHost };
std::string to_text(CheckStatus status);  // "pass" "warn" "block" "not_measured" "deferred_to_host"
CheckStatus parse_check_status(const std::string& text, const std::string& where);

}  // namespace picochat::gate
