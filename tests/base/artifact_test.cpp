#include "picochat/base/artifact.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::base {
namespace {

using ::testing::HasSubstr;

std::string refusal(const Path& folder) {
  try {
    verify_artifact(folder, "kind");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadInput);
    return error.what();
  }
  return "";
}

TEST(Artifact, HoldsWhatItsManifestListsAndNothingElse) {
  test::TemporaryFolder place;
  place.write("a/x.bin", "one");
  place.write("a/deep/y.bin", "two");
  write_manifest(real_file_system(), place / "a", "kind");
  EXPECT_EQ(refusal(place / "a"), "");
  place.write("a/z.bin", "three");
  EXPECT_THAT(refusal(place / "a"), HasSubstr("z.bin"));
  std::filesystem::remove(place / "a/z.bin");
  place.write("a/deep/y.bin", "tWo");
  EXPECT_THAT(refusal(place / "a"), HasSubstr("y.bin"));
}

TEST(Artifact, AManifestCannotNameWhatLiesOutside) {
  test::TemporaryFolder place;
  place.write("outside.bin", "abc");
  const std::string abc = sha256("abc").hex();
  for (const std::string& name : std::vector<std::string>{"../outside.bin", "deep/../../outside.bin", (place / "outside.bin").string()}) {
    place.write("a/manifest.json", cat("{\"kind\": \"kind\", \"files\": {\"", name, "\": {\"bytes\": 3, \"sha256\": \"", abc, "\"}}}"));
    EXPECT_THAT(refusal(place / "a"), HasSubstr("outside its folder")) << name;
  }
}

}  // namespace
}  // namespace picochat::base
