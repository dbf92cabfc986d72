#include "exporter/license.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "picochat/base/error.hpp"

namespace picochat::exporter {

void check_license(const std::string& license) {
  const bool plain = !license.empty() && license.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-") == std::string::npos;
  if (plain && license != "unknown" && license != "none") return;
  throw base::usage_error({.what = "the model needs a licence", .where = "--license", .expected = "an identifier as mit, apache-2.0 or cc-by-4.0",
                           .found = license.empty() ? "nothing" : license, .remedy = "choose one that the licences of the training data allow"});
}

bool hub_knows_license(const std::string& license) {
  // https://huggingface.co/docs/hub/repositories-licenses
  static constexpr std::array<std::string_view, 40> known{
      "afl-3.0", "agpl-3.0", "apache-2.0", "artistic-2.0", "bigscience-openrail-m", "bsd", "bsd-2-clause", "bsd-3-clause", "bsl-1.0", "c-uda",
      "cc", "cc-by-2.0", "cc-by-3.0", "cc-by-4.0", "cc-by-nc-4.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0",
      "cc0-1.0", "cdla-permissive-2.0", "creativeml-openrail-m", "ecl-2.0", "epl-2.0", "eupl-1.1", "gpl", "gpl-2.0", "gpl-3.0", "lgpl",
      "lgpl-2.1", "lgpl-3.0", "mit", "mpl-2.0", "odbl", "odc-by", "openrail", "pddl", "unlicense", "zlib"};
  return std::find(known.begin(), known.end(), license) != known.end();
}

}  // namespace picochat::exporter
