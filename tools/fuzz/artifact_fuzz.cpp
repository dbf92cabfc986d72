// The manifest of a folder (checkpoints, token shards): files that it lists are those of the folder.
#include "fuzz.hpp"
#include "picochat/base/artifact.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace picochat;
  const auto& folder = fuzz::folder();
  folder.write("artifact/a.bin", "abc");
  folder.write("outside.bin", "abc");
  folder.write("artifact/manifest.json", fuzz::text_of(data, size));
  const bool good = fuzz::accepted([&] { base::verify_artifact(folder / "artifact", "fuzz"); });
  const std::string digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";  // of "abc"
  const auto text = fuzz::text_of(data, size);
  if (good) fuzz::check(text.find(digest) != std::string_view::npos && text.find("..") == std::string_view::npos, "what verifies has the file's digest and stays in the folder");
  return 0;
}
