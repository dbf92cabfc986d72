// The two encodings that commits need.
#pragma once

#include <string>
#include <string_view>

namespace picochat::hub {

std::string base64(std::string_view bytes);
std::string git_blob_id(std::string_view bytes);  // SHA-1 as `git hash-object` gives it

}  // namespace picochat::hub
