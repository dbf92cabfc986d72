#include "picochat/gate/status.hpp"

#include "picochat/base/error.hpp"

namespace picochat::gate {

std::string to_text(GateProfile profile) {
  switch (profile) {
    case GateProfile::kResearch: return "research";
    case GateProfile::kFirstRelease: return "first_release";
    case GateProfile::kSkillRelease: return "skill_release";
  }
  return "";
}

GateProfile parse_gate_profile(const std::string& text, const std::string& where) {
  for (GateProfile profile : {GateProfile::kResearch, GateProfile::kFirstRelease, GateProfile::kSkillRelease})
    if (to_text(profile) == text) return profile;
  throw base::bad_input({.what = "unknown gate profile", .where = where, .expected = "research, first_release or skill_release", .found = text});
}

std::string to_text(CheckStatus status) {
  switch (status) {
    case CheckStatus::kPass: return "pass";
    case CheckStatus::kWarn: return "warn";
    case CheckStatus::kBlock: return "block";
    case CheckStatus::kNotMeasured: return "not_measured";
    case CheckStatus::kDeferredToHost: return "deferred_to_host";
  }
  return "";
}

CheckStatus parse_check_status(const std::string& text, const std::string& where) {
  for (CheckStatus status : {CheckStatus::kPass, CheckStatus::kWarn, CheckStatus::kBlock, CheckStatus::kNotMeasured, CheckStatus::kDeferredToHost})
    if (to_text(status) == text) return status;
  throw base::bad_input({.what = "unknown check status", .where = where, .expected = "pass, warn, block, not_measured or deferred_to_host", .found = text});
}

}  // namespace picochat::gate
