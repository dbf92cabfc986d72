// The way of a finished export to the hub.
#pragma once

#include <memory>
#include <string>

#include "exporter/run_evidence.hpp"
#include "picochat/base/json.hpp"
#include "picochat/exporter/export_hf.hpp"
#include "picochat/hub/client.hpp"

namespace picochat::exporter {

// Usage error for flags that do not go together, as --dry-run without --push-to-hub.
void check_push_flags(const ExportHfOptions& options);

class Push {
 public:
  // Before anything is written: an error with exit code 3 unless the gate approved the model or --as-blocked-research is given, then
  // one question to the hub whether it takes the token (not with --dry-run). No push without --push-to-hub.
  Push(const ExportHfOptions& options, const ReleaseVerdict& verdict);

  bool wanted() const { return client_ != nullptr; }

  struct Result {
    base::Json json;
    std::string text;
  };
  // Sends `folder`, whose release manifest is `manifest`; with --dry-run says what would go.
  Result run(const base::Path& folder, const base::Json& manifest) const;

 private:
  const ExportHfOptions& options_;
  std::shared_ptr<const hub::Client> client_;
};

}  // namespace picochat::exporter
