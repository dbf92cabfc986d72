// Addresses: origins, relative redirects, quoting, and a form that is safe to print.
#pragma once

#include <string>
#include <string_view>

namespace picochat::hub {

// "https://host:443" of an http or https address, in lower case with its port; "" for anything else
// (another scheme, no host, a user name or password in it).
std::string origin_of(const std::string& url);

// `reference` as a redirect gives it, seen from `base`; "" when it is no http or https address.
std::string resolve_url(const std::string& base, const std::string& reference);

// Percent-encodes everything but unreserved characters; slashes stay unless `slashes` is set.
std::string percent_encoded(std::string_view text, bool slashes = false);

// Without query and fragment: signed addresses carry their secret there.
std::string printable(const std::string& url);

}  // namespace picochat::hub
