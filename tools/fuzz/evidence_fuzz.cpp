// The files of a run directory that came from elsewhere, given to `run verify`: the first byte chooses the file, the
// others are of a small run whose digests are not asked for.
#include "fuzz.hpp"
#include "picochat/evidence/bundle.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace picochat;
  if (size == 0) return 0;
  const char* const names[] = {"summary.json", "gate/gate_evidence.json", "bundle_manifest.json", "gate/release_gate.json", "run.json", "SHA256SUMS"};
  const auto& folder = fuzz::folder();
  for (const char* name : names) std::filesystem::remove(folder / (std::string("run/") + name));
  const auto parts = fuzz::parts_of(fuzz::text_of(data + 1, size - 1), 2);
  folder.write(std::string("run/") + names[data[0] % 6], parts[0]);
  folder.write(std::string("run/") + names[(data[0] / 6) % 6], parts[1]);
  fuzz::accepted([&] { evidence::verify({.target = (folder / "run").string()}); });
  return 0;
}
