// The facts that preflight and the release gate need, read from the reports of the rooms that measure them.
// BadInput naming the report when a key is missing or of the wrong type.
#pragma once

#include <string>

#include "picochat/base/json.hpp"
#include "picochat/gate/facts.hpp"
#include "picochat/gate/release_gate.hpp"

namespace picochat::gate {

CorpusFacts corpus_facts(const base::Json& corpus_manifest, const std::string& where);
ChatFacts chat_facts(const base::Json& chat_report, const std::string& where);      // tasks::inspect_chat_rows
EvalFileFacts eval_file_facts(const base::Json& eval_report, const std::string& where);  // tasks::inspect_eval_rows
HonestyFacts honesty_facts(const base::Json& honesty_report, const std::string& where);
SanityFacts sanity_facts(const base::Json& sanity_report, const std::string& where);
PreflightEvidence preflight_evidence(const base::Json& preflight_report, const std::string& where);
// Either a whole eval_report.json or an object with its "summary".
EvalEvidence eval_evidence(const base::Json& eval_report, const std::string& where);

}  // namespace picochat::gate
