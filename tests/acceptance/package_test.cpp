// The package that is carried to another host: made, unpacked elsewhere, and started with nothing of this checkout around it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <map>
#include <regex>

#include "picochat/base/json.hpp"
#include "program.hpp"

namespace picochat::acceptance {
namespace {

using ::testing::HasSubstr;

struct Shell {
  int code;
  std::string output;  // both streams
};

Shell shell(const std::string& command) {
  std::FILE* pipe = ::popen(("{ " + command + "; } 2>&1").c_str(), "r");
  std::string output;
  std::array<char, 4096> buffer;
  for (size_t count; (count = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) output.append(buffer.data(), count);
  const int status = ::pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, output};
}

class Package : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::filesystem::path build = std::filesystem::path(kProgram).parent_path().parent_path();
    const auto made = shell(std::string(kSourceDir) + "/scripts/package --level 0 --build " + build.string() + " --out " + (folder.path() / "out").string());
    ASSERT_EQ(made.code, 0) << made.output;
    const auto unpacked = shell("cd " + folder.path().string() + "/out && sha256sum -c *.sha256 && mkdir ../host && tar xf *.tar.xz -C ../host --strip-components=1");
    ASSERT_EQ(unpacked.code, 0) << unpacked.output;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "out"))
      if (entry.path().extension() == ".xz") size = entry.file_size();
  }
  void runs_from_another_folder();
  void says_how_to_get_a_libtorch();
  void asks_for_no_newer_system();

  // In an empty environment, from another folder.
  Shell host(const std::string& variables, const std::string& arguments) {
    return shell("cd / && env -i PATH=/usr/bin:/bin HOME=/nonexistent " + variables + " " + (folder.path() / "host/bin/picochat").string() + " " + arguments);
  }
  // This build's own LibTorch stands for the host's.
  static std::string torch() { return "PICOCHAT_TORCH_ROOT=" + std::filesystem::canonical(std::filesystem::path(kSourceDir) / ".deps/libtorch").string() + "/torch"; }

  TemporaryFolder folder;
  uintmax_t size = 0;
};

std::vector<int> numbers(const std::string& version) {
  std::vector<int> parts;
  std::istringstream in(version);
  for (std::string part; std::getline(in, part, '.');) parts.push_back(std::stoi(part));
  return parts;
}

void Package::runs_from_another_folder() {
  EXPECT_THAT(host(torch(), "--version").output, HasSubstr("picochat "));
  const auto doctor = host(torch(), "doctor --device cpu --dir /tmp --json");
  ASSERT_EQ(doctor.code, 0) << doctor.output;
  EXPECT_EQ(base::Json::parse(doctor.output).at("status"), "well");
  EXPECT_LT(size, 64u << 20) << "with the fastest compression; it is carried to hosts";
  EXPECT_FALSE(shell("readelf -d " + (folder.path() / "host/libexec/picochat").string()).output.find(kSourceDir) != std::string::npos) << "a path of this checkout is in the program";
}

void Package::says_how_to_get_a_libtorch() {
  const auto none = host("PICOCHAT_PYTHON=/bin/false", "--version");
  EXPECT_EQ(none.code, 5);
  EXPECT_THAT(none.output, ::testing::AllOf(HasSubstr("LibTorch 2.11.0 was not found"), HasSubstr("picochat-fetch-torch"), HasSubstr("pip install torch==2.11.0")));
  const auto wrong = host("PICOCHAT_TORCH_ROOT=/tmp", "--version");
  EXPECT_EQ(wrong.code, 5);
  EXPECT_THAT(wrong.output, HasSubstr("PICOCHAT_TORCH_ROOT"));
}

// Ubuntu 22.04 has glibc 2.35 and GCC 12's library.
void Package::asks_for_no_newer_system() {
  const std::map<std::string, std::vector<int>> newest{{"GLIBC", {2, 35}}, {"GLIBCXX", {3, 4, 30}}};
  std::vector<std::filesystem::path> files{folder.path() / "host/libexec/picochat"};
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path() / "host/lib"))
    if (entry.is_regular_file()) files.push_back(entry.path());
  EXPECT_GE(files.size(), 4u);
  for (const auto& file : files) {
    const std::string symbols = shell("readelf -V " + file.string()).output;
    const std::regex version("(GLIBC|GLIBCXX)_([0-9.]+)");
    int seen = 0;
    for (auto it = std::sregex_iterator(symbols.begin(), symbols.end(), version); it != std::sregex_iterator(); ++it, ++seen)
      EXPECT_LE(numbers((*it)[2]), newest.at((*it)[1])) << file.filename() << " needs " << it->str();
    EXPECT_TRUE(seen > 0 || file.parent_path().filename() == "fallback") << file;
  }
  EXPECT_EQ(shell("ls " + (folder.path() / "host/lib/fallback").string()).output.find("libarchive"), std::string::npos) << "it is in the program";
}

// One test, for making the package takes longer than looking at it.
TEST_F(Package, RunsFromAnotherFolderWithTheLibTorchOfTheHost) {
  runs_from_another_folder();
  says_how_to_get_a_libtorch();
  asks_for_no_newer_system();
}

}  // namespace
}  // namespace picochat::acceptance
