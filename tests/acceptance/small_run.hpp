// A run of some seconds, and all of it that must not depend on interruptions.
#pragma once

#include <gtest/gtest.h>

#include <map>

#include "picochat/base/json.hpp"
#include "picochat/base/random.hpp"
#include "program.hpp"

namespace picochat::acceptance {

// Text that a small model can learn something of, written by rule so that no file is needed.
inline void write_corpus(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const std::vector<std::string> subjects{"the lamp", "a river", "our teacher", "the old bridge", "a small bird", "the market"};
  const std::vector<std::string> verbs{"carries", "remembers", "crosses", "follows", "keeps", "opens"};
  const std::vector<std::string> objects{"the morning", "a narrow road", "seven letters", "the winter sea", "a quiet song", "every door"};
  base::Random random(7, "acceptance-corpus");
  std::ofstream out(folder / "corpus.jsonl");
  for (int i = 0; i < 400; ++i) {
    std::string text;
    for (int s = 0; s < 8; ++s)
      text += subjects[random.below(6)] + " " + verbs[random.below(6)] + " " + objects[random.below(6)] + (s % 3 == 2 ? ".\n" : ". ");
    out << base::Json{{"text", text + "Entry " + std::to_string(i)}}.dump() << "\n";
  }
}

inline std::vector<std::string> run_arguments(const std::filesystem::path& root, const std::string& name) {
  return {"run", "tiny", "--corpus-input", (root / "corpus").string(), "--out-dir", (root / name).string(), "--tokenizer-vocab-size", "320",
          "--context-size", "128", "--n-embd", "64", "--n-head", "4", "--n-kv-head", "2", "--n-layer", "2", "--norm-type", "rmsnorm",
          "--position-encoding", "rope", "--activation", "swiglu", "--tie-embeddings", "--qk-norm", "--no-linear-bias", "--base-steps", "60",
          "--base-batch-size", "8", "--sft-steps", "40", "--sft-batch-size", "4", "--sft-packing", "bos_bestfit", "--base-grad-clip", "1",
          "--sft-fit-max-rows", "10", "--eval-max-new-tokens", "8", "--checkpoint-every-steps", "7", "--val-tokens", "4096"};
}

// metrics.jsonl without what depends on the clock.
inline std::string metrics(const std::filesystem::path& run) {
  std::istringstream lines(read_all(run / "metrics.jsonl"));
  std::string kept;
  for (std::string line; std::getline(lines, line);) {
    auto value = base::Json::parse(line);
    value.erase("timing");
    kept += value.dump() + "\n";
  }
  return kept;
}

// Optimizer state and loop state after the stage's last resume checkpoint, which is kept: its step, then its bytes.
inline std::string resume_state(const std::filesystem::path& stage) {
  std::filesystem::path newest;
  for (const auto& entry : std::filesystem::directory_iterator(stage / "resume_checkpoint")) newest = std::max(newest, entry.path());
  return newest.filename().string() + "\n" + read_all(newest / "training_state.json") + read_all(newest / "training_state.safetensors");
}

// What must not depend on kills or threads, by name.
inline std::map<std::string, std::string> outcome_bytes(const std::filesystem::path& run) {
  std::map<std::string, std::string> bytes{{"metrics", metrics(run)}};
  for (const std::string stage : {"base", "sft"}) {
    for (const std::string checkpoint : {"checkpoint", "last_checkpoint"})  // a manifest holds the digest of every file
      bytes[stage + " " + checkpoint] = read_all(run / stage / checkpoint / "manifest.json");
    bytes[stage + " optimizer state"] = resume_state(run / stage);
  }
  return bytes;
}

inline void expect_same_bytes(const std::filesystem::path& run, const std::map<std::string, std::string>& expected) {
  const auto found = outcome_bytes(run);
  for (const auto& [name, bytes] : expected) EXPECT_TRUE(found.at(name) == bytes) << name << " of " << run.filename() << " differs";
}

}  // namespace picochat::acceptance
