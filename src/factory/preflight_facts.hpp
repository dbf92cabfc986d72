// What preflight judges and no other stage records: tokens of a sample, memory that the model plans,
// the host, earlier runs on it, outside benchmarks, and where the sources come from.
#pragma once

#include "run_context.hpp"

namespace picochat::factory {

// Trains the run's kind of tokenizer on a sample of the corpus and counts tokens on text that it was not
// trained on: facts.vocab_size, tokens per character and its standard error. Kept in preflight_sample.json
// while corpus and options stay the same; nothing for char and byte tokenizers.
void measure_token_sample(RunContext& run);

// Licence and provenance of the sources, from the recipe and import reports.
void add_source_records(const RunContext& run, gate::CorpusFacts& facts);

// This host, or the plan for another; with the memory that one rank needs.
gate::DeviceFacts device_facts(const gate::RunOptions& options, const Path& run_dir, int64_t vocab_size);

// What this process may use, in bytes: the machine's memory, or less in a container.
int64_t usable_memory();

// The rows of the outside benchmarks that will be scored.
std::vector<gate::ExternalFileFacts> external_facts(const gate::RunOptions& options);

// Bytes that training one rank holds at its peak: training_bytes() of the larger stage, what it may go back to, and the process.
int64_t planned_peak_bytes(const gate::RunOptions& options, const gate::ModelConfig& config, const std::string& device);

}  // namespace picochat::factory
