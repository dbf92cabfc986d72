// Licence names as the hub's model cards spell them.
#pragma once

#include <string>

namespace picochat::exporter {

// Usage error for what is no licence name at all ("", spaces, "unknown", "none").
void check_license(const std::string& license);

// Whether the hub knows the identifier; others are written as `license: other` with a name.
bool hub_knows_license(const std::string& license);

}  // namespace picochat::exporter
