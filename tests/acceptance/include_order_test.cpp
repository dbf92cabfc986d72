// The rooms of the house are ordered: a room includes itself and the rooms before it in
// CMakeLists.txt, nothing else. This test reads that list and every #include of the project.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "support/project.hpp"

namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Room {
  size_t position = 0;
  bool torch = false;
};
using Rooms = std::map<std::string, Room>;

std::string read(const fs::path& path) {
  std::ifstream stream(path);
  if (!stream) throw std::runtime_error("cannot read " + path.string());
  return (std::ostringstream() << stream.rdbuf()).str();
}

Rooms read_rooms(const fs::path& root) {
  static const std::regex declaration(R"(^\s*picochat_room\(\s*(\w+)(\s+TORCH)?\s*\))");
  Rooms rooms;
  std::istringstream lines(read(root / "CMakeLists.txt"));
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_search(line, match, declaration)) {
      const size_t position = rooms.size();
      rooms[match[1]] = {.position = position, .torch = match[2].matched};
    }
  }
  return rooms;
}

// The room that a quoted include leads into: "picochat/<room>/x.hpp" or "<room>/x.hpp" (below src/).
std::optional<std::string> room_of_include(std::string header, const Rooms& rooms) {
  const bool is_public = header.starts_with("picochat/");
  if (is_public) header.erase(0, std::string("picochat/").size());
  const size_t slash = header.find('/');
  if (slash == std::string::npos) return std::nullopt;
  const auto first = header.substr(0, slash);
  if (is_public || rooms.contains(first)) return first;
  return std::nullopt;
}

bool is_torch_header(const std::string& header) {
  for (const char* folder : {"torch/", "ATen/", "c10/", "caffe2/"})
    if (header.starts_with(folder)) return true;
  return false;
}

// Why `header` may not be included by a file of `room` (empty: a file outside the rooms), or "".
std::string objection(const std::string& room, const std::string& extension, const std::string& header,
                      const Rooms& rooms) {
  // 14 to 20 seconds of compile time for every file that includes it.
  if (header == "torch/torch.h" || header == "torch/all.h") return "torch/torch.h is not used in this project";
  if (room.empty()) return "";
  if (is_torch_header(header)) {
    if (!rooms.at(room).torch) return "room " + room + " is built without LibTorch";
    if (extension == ".cu") return "CUDA files take plain pointers, no LibTorch headers";
    return "";
  }
  const auto other = room_of_include(header, rooms);
  if (!other || *other == room) return "";
  if (!rooms.contains(*other)) return *other + " is not a room of CMakeLists.txt";
  if (rooms.at(*other).position > rooms.at(room).position) return "room " + *other + " comes after room " + room;
  return "";
}

void check_file(const fs::path& root, const fs::path& path, const std::string& room, const Rooms& rooms,
                std::vector<std::string>& violations) {
  static const std::regex include(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
  std::istringstream lines(read(path));
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::smatch match;
    if (!std::regex_search(line, match, include)) continue;
    const auto why = objection(room, path.extension().string(), match[2], rooms);
    if (!why.empty())
      violations.push_back(fs::relative(path, root).string() + ":" + std::to_string(number) + ": includes " +
                           match[2].str() + ", but " + why);
  }
}

bool is_source(const fs::path& path) {
  for (const char* extension : {".hpp", ".h", ".cpp", ".cc", ".cu", ".cuh", ".inc"})
    if (path.extension() == extension) return true;
  return false;
}

struct Scan {
  std::vector<std::string> violations;
  size_t files = 0;
};

void scan_folder(const fs::path& root, const fs::path& folder, const std::string& room, const Rooms& rooms,
                 Scan& scan) {
  if (!fs::exists(folder)) return;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file() || !is_source(entry.path())) continue;
    ++scan.files;
    check_file(root, entry.path(), room, rooms, scan.violations);
  }
}

Scan scan_project(const fs::path& root) {
  const auto rooms = read_rooms(root);
  Scan scan;
  for (const char* top : {"include/picochat", "src"}) {
    if (!fs::exists(root / top)) continue;
    for (const auto& entry : fs::directory_iterator(root / top)) {
      const auto room = entry.path().filename().string();
      if (!entry.is_directory()) continue;
      if (!rooms.contains(room))
        scan.violations.push_back(std::string(top) + "/" + room + ": is not a room of CMakeLists.txt");
      else
        scan_folder(root, entry.path(), room, rooms, scan);
    }
  }
  for (const auto& [room, unused] : rooms) scan_folder(root, root / "tests" / room, room, rooms, scan);
  for (const char* top : {"tests/acceptance", "tests/support", "tools"}) scan_folder(root, root / top, "", rooms, scan);
  std::sort(scan.violations.begin(), scan.violations.end());
  return scan;
}

TEST(IncludeOrder, RoomsIncludeOnlyTheRoomsBeforeThem) {
  const auto scan = scan_project(picochat::kSourceDir);
  EXPECT_THAT(scan.violations, IsEmpty());
  EXPECT_GT(scan.files, 20u) << "the scan did not find the sources";
}

TEST(IncludeOrder, TheRoomListIsRead) {
  const auto rooms = read_rooms(picochat::kSourceDir);
  ASSERT_TRUE(rooms.contains("base") && rooms.contains("model") && rooms.contains("cli"));
  EXPECT_EQ(rooms.at("base").position, 0u);
  EXPECT_FALSE(rooms.at("base").torch);
  EXPECT_TRUE(rooms.at("model").torch);
  EXPECT_EQ(rooms.at("cli").position, rooms.size() - 1);
}

// The rules are of use only if a broken one is noticed: a small project with planted violations.
class PlantedProject : public ::testing::Test {
 protected:
  PlantedProject() : root_(fs::path(::testing::TempDir()) / ("include_order_" + std::to_string(::getpid()))) {
    write("CMakeLists.txt", "picochat_room(low)\npicochat_room(middle)\npicochat_room(high TORCH)\n");
    write("include/picochat/low/a.hpp", "#include <string>\n");
    write("src/middle/m.cpp", "#include \"picochat/low/a.hpp\"\n#include \"middle/detail.hpp\"\n");
    write("src/high/h.cpp", "#include <ATen/core/Tensor.h>\n#include \"picochat/middle/m.hpp\"\n");
  }
  ~PlantedProject() override { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  std::vector<std::string> violations() const { return scan_project(root_).violations; }

 private:
  fs::path root_;
};

TEST_F(PlantedProject, IsCleanBeforePlanting) { EXPECT_THAT(violations(), IsEmpty()); }

TEST_F(PlantedProject, APublicHeaderOfALaterRoomIsFound) {
  write("src/low/a.cpp", "// first line\n#include \"picochat/high/h.hpp\"\n");
  EXPECT_THAT(violations(), ElementsAre(AllOf(HasSubstr("src/low/a.cpp:2:"), HasSubstr("room high comes after room low"))));
}

TEST_F(PlantedProject, APrivateHeaderOfALaterRoomIsFound) {
  write("include/picochat/low/b.hpp", "  #  include \"middle/detail.hpp\"\n");
  EXPECT_THAT(violations(), ElementsAre(HasSubstr("room middle comes after room low")));
}

TEST_F(PlantedProject, ATestThatReachesUpIsFound) {
  write("tests/low/a_test.cpp", "#include \"picochat/middle/m.hpp\"\n");
  EXPECT_THAT(violations(), ElementsAre(HasSubstr("tests/low/a_test.cpp:1:")));
}

TEST_F(PlantedProject, TorchHeadersInPlainRoomsAndKernelsAreFound) {
  write("src/middle/m.cpp", "#include <ATen/ATen.h>\n");
  write("src/high/kernel.cu", "#include <c10/core/Device.h>\n");
  EXPECT_THAT(violations(), ElementsAre(HasSubstr("CUDA files take plain pointers"),
                                        HasSubstr("room middle is built without LibTorch")));
}

TEST_F(PlantedProject, TorchTorchIsFoundEverywhere) {
  write("tools/benchmarks/b.cpp", "#include <torch/torch.h>\n");
  write("tests/acceptance/t.cpp", "#include \"torch/torch.h\"\n");
  EXPECT_THAT(violations(), ElementsAre(HasSubstr("tests/acceptance/t.cpp:1:"), HasSubstr("tools/benchmarks/b.cpp:1:")));
}

TEST_F(PlantedProject, FoldersAndHeadersOutsideTheListAreFound) {
  write("src/attic/old.cpp", "");
  write("src/low/a.cpp", "#include \"picochat/cellar/c.hpp\"\n");
  EXPECT_THAT(violations(), ElementsAre(HasSubstr("src/attic: is not a room"), HasSubstr("cellar is not a room")));
}

}  // namespace
