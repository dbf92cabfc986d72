// The TFRecord framing and the fields of the Event message that scalars need, written by hand: protocol buffers would be a
// dependency for thirty lines. Field numbers are those of tensorflow's event.proto and summary.proto.
#include "picochat/evidence/tensorboard.hpp"

#include <unistd.h>

#include <array>
#include <bit>
#include <climits>

#include "picochat/base/text.hpp"

namespace picochat::evidence {
namespace {

using base::cat;
using base::Json;

template <typename T>
void append_fixed(std::string& out, T value) {
  for (size_t i = 0; i < sizeof value; ++i) out += static_cast<char>(value >> (8 * i));
}

uint32_t crc32c(const std::string& data) {
  static const auto table = [] {
    std::array<uint32_t, 256> t{};
    for (uint32_t i = 0; i < 256; ++i) {
      t[i] = i;
      for (int bit = 0; bit < 8; ++bit) t[i] = (t[i] >> 1) ^ (t[i] & 1 ? 0x82F63B78u : 0);
    }
    return t;
  }();
  uint32_t crc = ~0u;
  for (unsigned char c : data) crc = table[(crc ^ c) & 255] ^ (crc >> 8);
  return ~crc;
}

uint32_t masked(uint32_t crc) { return std::rotr(crc, 15) + 0xA282EAD8u; }

enum WireType : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void append_varint(std::string& out, uint64_t value) {
  for (; value >= 128; value >>= 7) out += static_cast<char>(value | 128);
  out += static_cast<char>(value);
}

void append_tag(std::string& out, uint32_t field, WireType type) { append_varint(out, field << 3 | type); }

void append_bytes(std::string& out, uint32_t field, const std::string& bytes) {
  append_tag(out, field, kBytes);
  append_varint(out, bytes.size());
  out += bytes;
}

// Event: wall_time 1, step 2, and one of file_version 3, summary 5, session_log 7.
std::string event_message(double wall_time, int64_t step, uint32_t field, const std::string& content) {
  std::string out;
  append_tag(out, 1, kFixed64);
  append_fixed(out, std::bit_cast<uint64_t>(wall_time));
  append_tag(out, 2, kVarint);
  append_varint(out, static_cast<uint64_t>(step));
  append_bytes(out, field, content);
  return out;
}

// Summary: value 1, of tag 1 and simple_value 2.
void append_scalar(std::string& summary, const std::string& tag, const Json& value) {
  if (!value.is_number()) return;
  std::string scalar;
  append_bytes(scalar, 1, tag);
  append_tag(scalar, 2, kFixed32);
  append_fixed(scalar, std::bit_cast<uint32_t>(value.get<float>()));
  append_bytes(summary, 1, scalar);
}

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "host";
}

struct Scalar {
  const char *event, *tag, *key;
};
constexpr std::array<Scalar, 12> kScalars{{{"step", "loss/train", "train_loss"},
                                           {"step", "optim/learning_rate", "learning_rate"},
                                           {"step", "optim/weight_decay", "weight_decay"},
                                           {"step", "optim/grad_norm", "grad_norm"},
                                           {"step", "throughput/tokens_per_sec", "tokens_per_sec"},
                                           {"step", "throughput/mfu", "mfu"},
                                           {"eval", "loss/val", "val_loss"},
                                           {"eval", "bpb/val", "val_bpb"},
                                           {"eval", "loss/val_ema", "ema_val_loss"},
                                           {"eval", "bpb/val_ema", "ema_val_bpb"},
                                           {"spike", "stability/loss_spike_ratio", "spike_ratio"},
                                           {"rollback", "stability/loss_spike_ratio", "spike_ratio"}}};

}  // namespace

std::string tf_record(const std::string& data) {
  std::string out;
  append_fixed(out, static_cast<uint64_t>(data.size()));
  append_fixed(out, masked(crc32c(out)));
  out += data;
  append_fixed(out, masked(crc32c(data)));
  return out;
}

TensorBoardLog::TensorBoardLog(base::FileSystem& files, const base::Path& folder, int64_t after_step, double wall_time) {
  files.make_directories(folder);
  std::error_code ignored;
  base::Path path = folder / cat("events.out.tfevents.", base::zero_padded(static_cast<uint64_t>(wall_time), 10), ".", host_name(), ".", ::getpid());
  for (int again = 1; std::filesystem::exists(path, ignored); ++again)  // back to an earlier step within one second
    path = folder / cat("events.out.tfevents.", base::zero_padded(static_cast<uint64_t>(wall_time), 10), ".", host_name(), ".", ::getpid(), ".", again);
  file_ = files.create(path);
  std::string start;  // SessionLog: status 1, START = 1; readers drop what was written before with a step of at least this event's
  append_tag(start, 1, kVarint);
  append_varint(start, 1);
  file_->append(tf_record(event_message(wall_time, 0, 3, "brain.Event:2")) + tf_record(event_message(wall_time, after_step + 1, 7, start)));
}

void TensorBoardLog::event(const Json& event, double wall_time) {
  const std::string kind = event.value("event", "");
  std::string summary;
  for (const Scalar& scalar : kScalars) {
    if (kind != scalar.event) continue;
    if (event.contains(scalar.key)) append_scalar(summary, scalar.tag, event.at(scalar.key));
    else if (event.contains("timing") && event.at("timing").contains(scalar.key)) append_scalar(summary, scalar.tag, event.at("timing").at(scalar.key));
  }
  if (!summary.empty()) file_->append(tf_record(event_message(wall_time, event.at("step").get<int64_t>(), 5, summary)));
}

}  // namespace picochat::evidence
