// Dataset packs and corpus recipes: the first byte chooses.
#include "fuzz.hpp"
#include "picochat/corpus/pack.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace picochat;
  if (size == 0) return 0;
  const auto path = fuzz::folder().write("pack.json", fuzz::text_of(data + 1, size - 1));
  fuzz::accepted([&] {
    if (data[0] % 2 == 0) {
      const corpus::Pack pack = corpus::load_pack(path);
      fuzz::check(pack.input.has_value() != pack.recipe.has_value(), "a pack has one corpus");
    } else {
      for (const auto& source : corpus::load_recipe(path).sources) fuzz::check(source.weight > 0 && !source.given.empty(), "a source has a weight and a path");
    }
  });
  return 0;
}
