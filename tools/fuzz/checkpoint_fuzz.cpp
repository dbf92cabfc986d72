// A checkpoint whose digests are right and whose content is anything.
#include "fuzz.hpp"
#include "picochat/train/checkpoint.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace picochat;
  const auto folder = fuzz::write_artifact(train::kCheckpointKind, {"config.json", "metadata.json", "training_state.json", "training_state.safetensors", "model.safetensors"},
                                            fuzz::parts_of(fuzz::text_of(data, size), 5));
  fuzz::accepted([&] {
    const auto loaded = train::load_training_state(folder);
    fuzz::check(loaded.checkpoint.parameters.numel() >= loaded.checkpoint.config.parameter_count(), "all parameters are there");
  });
  return 0;
}
