// A preset from a file, and a run resolved from it.
#include "fuzz.hpp"
#include "picochat/gate/presets.hpp"
#include "picochat/gate/run_options.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace picochat;
  const std::string text(fuzz::text_of(data, size));
  fuzz::folder().write("presets/mine.json", text);
  const base::Path presets = fuzz::folder() / "presets";
  fuzz::accepted([&] {
    const gate::Preset preset = gate::parse_preset(text, "fuzz");
    fuzz::check(gate::find_preset(preset.name, presets).values == preset.values, "the folder holds it");
    try {
      gate::resolve_run_options({{"scale", preset.name}, {"presets_dir", presets.string()}});
    } catch (const base::Error& error) {
      fuzz::check(error.code() == base::ExitCode::kUsage || error.code() == base::ExitCode::kBadInput, "values that cannot be are refused");
    }
  });
  return 0;
}
