#include "picochat/serve/generate.hpp"

#include <cmath>

#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/jsonl.hpp"
#include "picochat/base/text.hpp"
#include "picochat/serve/conversation.hpp"
#include "serve/choice.hpp"

namespace picochat::serve {
namespace {

using base::Json;

std::vector<std::string> read_prompts(const base::Path& path) {
  std::vector<std::string> prompts;
  const std::string bytes = base::read_file(path);
  base::for_each_line(bytes, [&](std::string_view line, int64_t number) {
    if (base::trim(line).empty()) return true;
    const std::string where = base::cat(path.string(), ":", number);
    prompts.push_back(line.front() == '{' ? base::get_string(base::parse_json(line, where), "prompt", where) : std::string(line));
    return true;
  });
  if (prompts.empty()) throw base::bad_input({.what = "no prompts", .where = path.string(), .expected = "one prompt a line, or JSON Lines with \"prompt\""});
  return prompts;
}

std::vector<TokenId> encode(const Engine& engine, const GenerateOptions& options, const std::string& prompt) {
  if (options.chat) {
    const tasks::ChatTurn turn{"user", prompt};
    return fit_prompt(engine.tokenizer(), {&turn, 1}, engine.context_size(), options.max_new_tokens).tokens;
  }
  std::vector<TokenId> tokens{tokenizer::kBos};
  engine.tokenizer().encode(prompt, tokens);
  if (static_cast<int64_t>(tokens.size()) > engine.context_size())
    throw base::bad_input({.what = "the prompt is longer than the model's context", .expected = base::cat("at most ", engine.context_size(), " tokens with <bos>"),
                           .found = base::cat(tokens.size(), " tokens"), .remedy = "shorten it"});
  return tokens;
}

Json likeliest_json(const tokenizer::Tokenizer& tokenizer, const ScoredToken& token) {
  Json list = Json::array();
  for (const auto& [id, logprob] : token.likeliest) list.push_back({{"token", token_text(tokenizer, id)}, {"id", id}, {"logprob", logprob}});
  return list;
}

Json trace(const Engine& engine, const GenerateOptions& options, const std::string& prompt, size_t prompt_tokens, const Generation& generation) {
  Json tokens = Json::array();
  for (const ScoredToken& token : generation.scored()) {
    Json entry = {{"token", token_text(engine.tokenizer(), token.id)}, {"id", token.id}, {"probability", std::exp(*token.logprob)}, {"logprob", *token.logprob}};
    if (options.logprobs > 0) entry["likeliest"] = likeliest_json(engine.tokenizer(), token);
    tokens.push_back(std::move(entry));
  }
  const size_t made = generation.tokens().size();
  return {{"text", options.chat ? generation.text() : prompt + generation.text()}, {"completion", generation.text()}, {"generated_tokens", std::move(tokens)}, {"prompt_tokens", prompt_tokens},
          {"completion_tokens", made}, {"total_tokens", prompt_tokens + made}, {"finish_reason", finish_word(generation.reason())},
          {"stopped_by", to_text(generation.reason())}, {"used_kv_cache", options.kv_cache}};
}

struct Asked {
  std::string prompt;
  size_t prompt_tokens;
  std::shared_ptr<Generation> generation;
};

}  // namespace

const base::OptionTable<GenerateOptions>& generate_options() {
  static const auto table = [] {
    base::OptionTable<GenerateOptions> t;
    t.add("prompt", &GenerateOptions::prompt, "the text to go on from").metavar = "TEXT";
    t.add("input", &GenerateOptions::input, "many prompts: one a line, or JSON Lines with \"prompt\"").metavar = "FILE";
    t.add("chat", &GenerateOptions::chat, "the prompt is a user's message, to be answered");
    t.add("n", &GenerateOptions::n, "texts for each prompt").at_least(1).at_most(1000);
    t.add("json", &GenerateOptions::json, "one JSON object a text, with each token's log-probability");
    t.add("logprobs", &GenerateOptions::logprobs, "likeliest tokens shown beside each token in --json").at_least(0).at_most(100);
    t.add("batch_rows", &GenerateOptions::batch_rows, "texts made together; changes speed, never a text").at_least(1).at_most(1024);
    t.add("kv_cache", &GenerateOptions::kv_cache, "keep keys and values of past tokens; without it every token costs a pass over the whole text");
    add_choice_options(t);
    return t;
  }();
  return table;
}

base::ExitCode run_generate(const GenerateOptions& options) {
  if (options.input && !options.prompt.empty())
    throw base::usage_error({.what = "--prompt and --input are both given", .remedy = "give one of them"});
  const std::vector<std::string> prompts = options.input ? read_prompts(*options.input) : std::vector{options.prompt};
  const size_t texts = prompts.size() * static_cast<size_t>(options.n);
  auto model = load_model(options);
  Engine engine(std::move(model), {.rows = std::min<int64_t>(options.batch_rows, static_cast<int64_t>(texts)), .queue_limit = static_cast<int64_t>(texts),
                                   .kv_cache = options.kv_cache, .draft_tokens = options.draft_tokens, .threads = static_cast<int>(options.threads)});
  const uint64_t seed = seed_of(options);
  std::vector<Asked> asked;
  for (const auto& prompt : prompts)
    for (int64_t copy = 0; copy < options.n; ++copy) {
      GenerationRequest request{.prompt = encode(engine, options, prompt), .max_new_tokens = options.max_new_tokens, .sampling = options.sampling(seed), .stream = asked.size(),
                                .stop = options.stop, .at_context_end = options.chat ? AtContextEnd::kStop : AtContextEnd::kSlide, .watched = !options.json};
      if (options.json) request.logprobs = options.logprobs;
      const size_t length = request.prompt.size();
      asked.push_back({prompt, length, engine.submit(std::move(request))});
    }
  for (const Asked& one : asked) {
    if (!options.json && !options.chat) base::write_result(one.prompt);
    const int signal = follow(*one.generation, [](const std::string& piece) { base::write_result(piece); });
    if (one.generation->reason() == FinishReason::kFailed) throw base::internal_error(one.generation->error());
    if (options.json && !signal) base::write_result(base::dump(trace(engine, options, one.prompt, one.prompt_tokens, *one.generation), -1));
    base::write_result("\n");
    if (signal) throw base::Interrupted(signal);
  }
  return base::ExitCode::kDone;
}

}  // namespace picochat::serve
