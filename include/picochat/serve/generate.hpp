// `generate` and `chat`: the model at the terminal.
#pragma once

#include <string>
#include <vector>

#include "picochat/base/error.hpp"
#include "picochat/base/options.hpp"
#include "picochat/model/sampling.hpp"
#include "picochat/serve/model_source.hpp"

namespace picochat::serve {

// How tokens are chosen; the same flags in `generate`, `chat` and `serve`.
struct ChoiceOptions : ModelOptions {
  int64_t max_new_tokens = 100;
  double temperature = 0.8, top_p = 1, repetition_penalty = 1;
  int64_t top_k = 20;
  std::optional<int64_t> seed;
  std::vector<std::string> stop;

  model::SamplingOptions sampling(uint64_t seed_to_use) const;
};

struct GenerateOptions : ChoiceOptions {
  std::string prompt;
  std::optional<std::string> input;  // one prompt a line, or JSON Lines with "prompt"
  bool chat = false;                 // the prompt is a user's message
  int64_t n = 1;
  int64_t logprobs = 0;              // likeliest tokens shown beside each token in --json
  int64_t batch_rows = 32;
  bool kv_cache = true, json = false;
};
const base::OptionTable<GenerateOptions>& generate_options();
// Streams the text, or prints one JSON object a text. Ctrl-C ends it with 130.
base::ExitCode run_generate(const GenerateOptions& options);

struct ChatOptions : ChoiceOptions {
  ChatOptions() { max_new_tokens = 200; }
  std::optional<std::string> system;
  bool kv_cache = true;
};
const base::OptionTable<ChatOptions>& chat_options();
// Questions from stdin, answers to stdout as they come. Ctrl-C stops an answer; at the prompt it clears the line.
base::ExitCode run_chat(const ChatOptions& options);

template <typename S>
void add_choice_options(base::OptionTable<S>& table) {
  add_model_options(table);
  table.add("max_new_tokens", &ChoiceOptions::max_new_tokens, "longest answer in tokens").at_least(0).in("Choice of tokens");
  table.add("temperature", &ChoiceOptions::temperature, "0: always the likeliest token").at_least(0).in("Choice of tokens");
  table.add("top_k", &ChoiceOptions::top_k, "sample among the k likeliest tokens; 0: off").at_least(0).in("Choice of tokens");
  table.add("top_p", &ChoiceOptions::top_p, "sample among the likeliest tokens that make up this probability").more_than(0).at_most(1).in("Choice of tokens");
  table.add("repetition_penalty", &ChoiceOptions::repetition_penalty, "above 1 makes tokens of the text so far less likely").more_than(0).in("Choice of tokens");
  table.add("seed", &ChoiceOptions::seed, "same seed, same text; default: another one each time").at_least(0).in("Choice of tokens").metavar = "N";
  table.add("stop", &ChoiceOptions::stop, "end the text before this string; repeatable").in("Choice of tokens").metavar = "TEXT";
}

}  // namespace picochat::serve
