// `data preview` with everything that the rooms above the corpus know: chat and eval rows, and how many
// tokens the text makes.
#pragma once

#include "picochat/corpus/commands.hpp"

namespace picochat::factory {

corpus::CommandOutput preview(base::FileSystem& files, const corpus::PreviewOptions& options);

}  // namespace picochat::factory
