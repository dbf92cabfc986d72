// A checkpoint whose digests are right and whose content is anything.
#include "fuzz.hpp"
#include "picochat/train/checkpoint.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace picochat;
  const auto& folder = fuzz::folder();
  const char* const names[] = {"config.json", "metadata.json", "training_state.json", "training_state.safetensors", "model.safetensors"};
  const auto parts = fuzz::parts_of(fuzz::text_of(data, size), 5);
  for (size_t i = 0; i < parts.size(); ++i) folder.write(std::string("checkpoint/") + names[i], parts[i]);
  std::filesystem::remove(folder / "checkpoint/manifest.json");
  base::write_manifest(base::real_file_system(), folder / "checkpoint", train::kCheckpointKind);
  fuzz::accepted([&] {
    const auto loaded = train::load_training_state(folder / "checkpoint");
    fuzz::check(loaded.checkpoint.parameters.numel() >= loaded.checkpoint.config.parameter_count(), "all parameters are there");
  });
  return 0;
}
