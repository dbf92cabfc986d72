#include "picochat/evidence/tensorboard.hpp"

#include <gmock/gmock.h>

#include <filesystem>

#include "picochat/base/text.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::evidence {
namespace {

using base::Json;
using ::testing::HasSubstr;
using ::testing::Not;

std::string only_file(const base::Path& folder) {
  std::vector<base::Path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) found.push_back(entry.path());
  EXPECT_EQ(found.size(), 1u);
  return base::read_file(found.at(0));
}

// The record that tensorflow writes at the start of every event file with wall time 1, taken apart by its format: length 24,
// masked CRC-32C of the length, the message, masked CRC-32C of the message. The checksum of "123456789" is 0xE3069283.
TEST(TensorBoard, RecordsAreFramedWithTheStandardChecksum) {
  const std::string record = tf_record("123456789");
  ASSERT_EQ(record.size(), 8u + 4 + 9 + 4);
  EXPECT_EQ(record.substr(0, 8), std::string("\x09\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(record.substr(12, 9), "123456789");
  const uint32_t crc = 0xE3069283u, expected = ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
  uint32_t found = 0;
  for (int i = 3; i >= 0; --i) found = found << 8 | static_cast<unsigned char>(record[21 + static_cast<size_t>(i)]);
  EXPECT_EQ(found, expected);
}

TEST(TensorBoard, EventsBecomeScalars) {
  const test::TemporaryFolder folder;
  {
    TensorBoardLog log(base::real_file_system(), folder / "base", 0, 1000);
    log.event({{"event", "step"}, {"stage", "base"}, {"step", 3}, {"train_loss", 2.5}, {"grad_norm", nullptr}, {"timing", {{"tokens_per_sec", 1000.0}}}}, 1001);
    log.event({{"event", "eval"}, {"stage", "base"}, {"step", 3}, {"val_loss", 2.25}, {"val_bpb", 1.5}}, 1001);
    log.event({{"event", "note"}, {"stage", "base"}, {"step", 3}, {"note", "x"}}, 1001);
  }
  const std::string bytes = only_file(folder / "base");
  for (const char* tag : {"brain.Event:2", "loss/train", "throughput/tokens_per_sec", "loss/val", "bpb/val"}) EXPECT_THAT(bytes, HasSubstr(tag));
  EXPECT_THAT(bytes, Not(HasSubstr("grad_norm"))) << "what was not finite is no point of a curve";
}

TEST(TensorBoard, GoingOnBeginsAFileOfItsOwn) {
  const test::TemporaryFolder folder;
  for (int i = 0; i < 3; ++i) TensorBoardLog(base::real_file_system(), folder / "base", 5, 1000);
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder / "base")) ++count;
  EXPECT_EQ(count, 3u);
}

}  // namespace
}  // namespace picochat::evidence
