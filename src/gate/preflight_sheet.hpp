// What the groups of preflight checks share: the facts, the plan, and the sheet they write on.
#pragma once

#include <string>
#include <vector>

#include "picochat/base/text.hpp"
#include "picochat/gate/preflight.hpp"

namespace picochat::gate {

// Severity follows the profile: what blocks a release only warns under research.
struct Sheet {
  const PreflightFacts& facts;
  const RunOptions& options;
  const Budget& budget;
  GateProfile profile;
  std::vector<Check> checks;
  std::vector<Note> notes;

  bool release() const { return is_release(profile); }
  // Some warnings would be noise on a short research run.
  bool scrutinised() const { return release() || budget.long_run; }

  CheckStatus quality(bool bad, bool doubtful) const {
    if (bad && release()) return CheckStatus::kBlock;
    return bad || doubtful ? CheckStatus::kWarn : CheckStatus::kPass;
  }
  CheckStatus warn_if(bool doubtful) const { return doubtful ? CheckStatus::kWarn : CheckStatus::kPass; }
  CheckStatus block_if(bool bad) const { return bad ? CheckStatus::kBlock : CheckStatus::kPass; }

  // The device that the run will use: "cpu", "cuda", or "auto" when this is not known yet.
  std::string device() const {
    if (options.device != "auto") return options.device;
    return facts.device && !facts.device->resolved.empty() ? facts.device->resolved : "auto";
  }
  // What cannot be known here: deferred for a host that is not this one, else simply not measured.
  CheckStatus unknown_of_host() const {
    return facts.device && facts.device->deferred ? CheckStatus::kDeferredToHost : CheckStatus::kNotMeasured;
  }

  // The remedy is kept for findings only.
  void add(const char* group, const char* name, CheckStatus status, std::string metric, std::string threshold, std::string message,
           std::string remedy = "") {
    if (status == CheckStatus::kPass) remedy.clear();
    checks.push_back({.name = name, .group = group, .status = status, .metric = std::move(metric), .threshold = std::move(threshold),
                      .message = std::move(message), .remedy = std::move(remedy)});
  }
  void not_measured(const char* group, const char* name, std::string threshold, std::string message, std::string remedy) {
    add(group, name, CheckStatus::kNotMeasured, "not measured", std::move(threshold), std::move(message), std::move(remedy));
  }
};

inline std::string percent(double rate) { return base::cat(base::fixed(100 * rate, 2), "%"); }

void check_data(Sheet& sheet);       // preflight_data.cpp
void check_tokenizer(Sheet& sheet);  // preflight_data.cpp
void check_runtime(Sheet& sheet);    // preflight_runtime.cpp
void check_budget(Sheet& sheet);     // preflight_budget.cpp
void check_sft(Sheet& sheet);        // preflight_tuning.cpp
void check_eval(Sheet& sheet);       // preflight_tuning.cpp
void check_honesty(Sheet& sheet);    // preflight_honesty.cpp

}  // namespace picochat::gate
