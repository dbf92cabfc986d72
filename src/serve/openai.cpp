#include "serve/openai.hpp"

#include <ctime>
#include <random>
#include <span>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/serve/conversation.hpp"
#include "serve/answers.hpp"
#include "serve/choice.hpp"

namespace picochat::serve {
namespace {

using base::cat;
using base::Json;

constexpr size_t kMostTexts = 128;  // prompts x n of one request
constexpr int64_t kMostLikeliest = 20;

std::string new_id(const char* prefix) {
  static thread_local std::mt19937_64 generator{std::random_device()()};
  std::string bytes;
  for (int i = 0; i < 12; ++i) bytes += static_cast<char>(generator() & 255);
  return prefix + base::hex(bytes);
}

Json envelope(const std::string& id, const char* object, const std::string& model) {
  return {{"id", id}, {"object", object}, {"created", static_cast<int64_t>(std::time(nullptr))}, {"model", model}};
}

Json usage_json(int64_t prompt_tokens, const Answers& answers) {
  return {{"prompt_tokens", prompt_tokens}, {"completion_tokens", answers.completion_tokens()}, {"total_tokens", prompt_tokens + answers.completion_tokens()},
          {"prompt_tokens_details", {{"cached_tokens", answers.reused_tokens()}}}};
}

Json with_choices(Json event, Json choices) {
  event["choices"] = std::move(choices);
  return event;
}

Json usage_event(Json event, Json usage) {
  event["choices"] = Json::array();
  event["usage"] = std::move(usage);
  return event;
}

// ---- prompts of /v1/completions ------------------------------------------------------------------

struct Prompt {
  std::vector<TokenId> tokens;
  bool given_as_tokens = false;  // as they are; a text gets <bos> before it
};

Prompt prompt_of_ids(const Engine& engine, const Json& ids) {
  Prompt prompt{{}, true};
  for (const Json& id : ids) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= engine.tokenizer().vocab_size())
      throw ApiError{.message = cat("a token id of the prompt is not a number below ", engine.tokenizer().vocab_size()), .param = "prompt"};
    prompt.tokens.push_back(id.get<TokenId>());
  }
  if (prompt.tokens.empty()) throw ApiError{.message = "a prompt has no token", .param = "prompt"};
  return prompt;
}

Prompt prompt_of_text(const Engine& engine, const std::string& text) {
  Prompt prompt{{tokenizer::kBos}, false};
  engine.tokenizer().encode(text, prompt.tokens);
  return prompt;
}

std::vector<Prompt> read_prompts(const Engine& engine, const Json* value) {
  std::vector<Prompt> prompts;
  const auto refuse = [] { return ApiError{.message = "prompt is not a string, a list of strings, a list of token ids, or a list of such lists", .param = "prompt"}; };
  if (!value) prompts.push_back(prompt_of_text(engine, ""));
  else if (value->is_string()) prompts.push_back(prompt_of_text(engine, value->get<std::string>()));
  else if (!value->is_array() || value->empty() || value->size() > (value->front().is_number() ? size_t{1} << 24 : kMostTexts)) throw refuse();
  else if (value->front().is_number()) prompts.push_back(prompt_of_ids(engine, *value));
  else
    for (const Json& entry : *value) {
      if (entry.is_string()) prompts.push_back(prompt_of_text(engine, entry.get<std::string>()));
      else if (entry.is_array()) prompts.push_back(prompt_of_ids(engine, entry));
      else throw refuse();
    }
  for (const Prompt& prompt : prompts)
    if (static_cast<int64_t>(prompt.tokens.size()) > engine.context_size())
      throw ApiError{.message = cat("this model's context is ", engine.context_size(), " tokens, and a prompt has ", prompt.tokens.size()), .param = "prompt",
                     .code = "context_length_exceeded"};
  return prompts;
}

// OpenAI's lists for the prompt's tokens (with echo) and the generated ones, the one that ended the text among them: lm-evaluation-harness
// takes the last entry for a generated token. A <bos> that the server put there is no part of them.
Json completion_logprobs(const tokenizer::Tokenizer& tokenizer, const Prompt& prompt, const Generation& generation, bool echo) {
  Json tokens = Json::array(), logprobs = Json::array(), likeliest = Json::array(), offsets = Json::array();
  int64_t offset = 0;
  auto add = [&](const ScoredToken& token) {
    const std::string text = token_text(tokenizer, token.id);
    tokens.push_back(text);
    offsets.push_back(offset);
    if (token.id >= tokenizer::kSpecialTokens)
      for (const char byte : tokenizer.token_bytes(token.id)) offset += (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
    logprobs.push_back(token.logprob ? Json(*token.logprob) : Json(nullptr));
    if (!token.logprob) return likeliest.push_back(nullptr);
    Json shown = Json::object();
    for (const auto& [id, logprob] : token.likeliest) shown[token_text(tokenizer, id)] = logprob;
    shown[text] = *token.logprob;
    likeliest.push_back(std::move(shown));
  };
  if (echo)
    for (size_t i = prompt.given_as_tokens ? 0 : 1; i < generation.scored_prompt().size(); ++i) add(generation.scored_prompt()[i]);
  for (const ScoredToken& token : generation.scored()) add(token);
  return {{"tokens", std::move(tokens)}, {"token_logprobs", std::move(logprobs)}, {"top_logprobs", std::move(likeliest)}, {"text_offset", std::move(offsets)}};
}

// ---- messages of /v1/chat/completions --------------------------------------------------------------

std::string message_text(const Json& message, size_t index) {
  const auto content = message.find("content");
  const ApiError wrong{.message = cat("messages[", index, "].content is not a string or a list of text parts"), .param = "messages"};
  if (content == message.end()) throw wrong;
  if (content->is_string()) return content->get<std::string>();
  if (!content->is_array()) throw wrong;
  std::string text;
  for (const Json& part : *content) {
    if (!part.is_object() || part.value("type", Json()) != "text" || !part.contains("text") || !part.at("text").is_string()) throw wrong;
    text += part.at("text").get<std::string>();
  }
  return text;
}

std::vector<tasks::ChatTurn> read_messages(const Json* value) {
  if (!value || !value->is_array() || value->empty() || value->size() > 10'000) throw ApiError{.message = "messages is not a list of messages", .param = "messages"};
  std::vector<tasks::ChatTurn> turns;
  for (size_t i = 0; i < value->size(); ++i) {
    const Json& message = (*value)[i];
    if (!message.is_object() || !message.contains("role") || !message.at("role").is_string()) throw ApiError{.message = cat("messages[", i, "] has no role"), .param = "messages"};
    std::string role = message.at("role").get<std::string>();
    if (role == "developer") role = "system";
    if (role != "system" && role != "user" && role != "assistant")
      throw ApiError{.message = cat("messages[", i, "] has the role ", role.substr(0, 30), "; the model knows system, user and assistant"), .param = "messages"};
    turns.push_back({role, message_text(message, i)});
  }
  return turns;
}

Json chat_logprobs(const tokenizer::Tokenizer& tokenizer, const Generation& generation) {
  auto entry = [&](TokenId id, double logprob) {
    Json bytes = Json::array();
    if (id >= tokenizer::kSpecialTokens)
      for (const char byte : tokenizer.token_bytes(id)) bytes.push_back(static_cast<unsigned char>(byte));
    return Json{{"token", token_text(tokenizer, id)}, {"logprob", logprob}, {"bytes", std::move(bytes)}};
  };
  Json content = Json::array();
  for (const ScoredToken& token : std::span(generation.scored()).first(generation.tokens().size())) {
    Json one = entry(token.id, *token.logprob), likeliest = Json::array();
    for (const auto& [id, logprob] : token.likeliest) likeliest.push_back(entry(id, logprob));
    one["top_logprobs"] = std::move(likeliest);
    content.push_back(std::move(one));
  }
  return {{"content", std::move(content)}};
}

}  // namespace

OpenAiApi::OpenAiApi(Models& models, ApiSettings settings, Metrics& metrics) : models_(models), settings_(std::move(settings)), metrics_(metrics) {}

bool OpenAiApi::handle(http::Exchange& exchange) {
  const http::Request& request = exchange.request;
  const bool list = request.path == "/v1/models" || request.path.starts_with("/v1/models/");
  if (!list && request.path != "/v1/completions" && request.path != "/v1/chat/completions") return false;
  try {
    if (request.method != (list ? "GET" : "POST")) {
      exchange.headers.push_back({"Allow", list ? "GET" : "POST"});
      throw ApiError{.status = 405, .message = cat("use ", list ? "GET" : "POST")};
    }
    // A browser sends other types across sites without asking first.
    if (!list && !base::lower_ascii(request.header("content-type")).starts_with("application/json"))
      throw ApiError{.status = 415, .message = "send Content-Type: application/json"};
    if (list) models(exchange);
    else if (request.path == "/v1/completions") completions(exchange);
    else chat_completions(exchange);
  } catch (const ApiError& error) {
    respond_error(exchange, error);
  } catch (const base::Error& error) {
    respond_error(exchange, {.status = error.code() == base::ExitCode::kInternal ? 500 : 400, .message = base::replace_all(error.what(), "\n", ";")});
  }
  return true;
}

void OpenAiApi::models(http::Exchange& exchange) {
  Json list = Json::array();
  for (const auto& name : models_.names()) list.push_back({{"id", name}, {"object", "model"}, {"created", 0}, {"owned_by", "picochat"}});
  if (exchange.request.path == "/v1/models") return respond_json(exchange, 200, {{"object", "list"}, {"data", std::move(list)}});
  const std::string wanted = exchange.request.path.substr(sizeof "/v1/models/" - 1);
  for (const Json& model : list)
    if (model.at("id") == wanted) return respond_json(exchange, 200, model);
  throw ApiError{.status = 404, .message = "no such model", .param = "model", .code = "model_not_found"};
}

OpenAiApi::Common OpenAiApi::read_common(Params& params) {
  const ChoiceOptions& defaults = settings_.defaults;
  Common common;
  common.model = params.text("model", "");
  common.engine = models_.engine(common.model);
  if (common.model.empty()) common.model = models_.names().front();
  common.n = params.integer("n", 1, 1, kMostTexts);
  common.stream = params.boolean("stream", false);
  if (const Json* options = params.find("stream_options")) {
    if (!options->is_object()) throw ApiError{.message = "stream_options is not an object", .param = "stream_options"};
    common.include_usage = options->value("include_usage", Json(false)) == Json(true);
  }
  GenerationRequest& request = common.request;
  request.sampling = {.temperature = params.number("temperature", defaults.temperature, 0, 5), .top_k = params.integer("top_k", defaults.top_k, 0, 10'000),
                      .top_p = params.number("top_p", defaults.top_p, 0.001, 1), .repetition_penalty = params.number("repetition_penalty", defaults.repetition_penalty, 0.01, 10)};
  const int64_t seed = params.integer("seed", -1, INT64_MIN, INT64_MAX);
  request.sampling.seed = seed != -1 ? static_cast<uint64_t>(seed) : seed_of(defaults);
  request.stop = params.strings("stop", 16);
  request.stop.insert(request.stop.end(), defaults.stop.begin(), defaults.stop.end());
  request.stop_at_end_token = !params.boolean("ignore_eos", false);
  request.max_seconds = settings_.most_seconds;
  request.watched = common.stream;
  for (const char* penalty : {"presence_penalty", "frequency_penalty"}) params.only(penalty, {0, 0.0}, "repetition_penalty is");
  params.only("logit_bias", {Json::object()}, "");
  for (const char* known : {"user", "store", "metadata", "service_tier"}) params.ignore(known);
  return common;
}

void OpenAiApi::completions(http::Exchange& exchange) {
  Params params(exchange.request.body);
  Common common = read_common(params);
  const auto prompts = read_prompts(*common.engine, params.find("prompt"));
  common.request.max_new_tokens = params.integer("max_tokens", settings_.defaults.max_new_tokens, 0, settings_.most_new_tokens);
  common.request.at_context_end = AtContextEnd::kSlide;
  const bool echo = params.boolean("echo", false);
  if (params.find("logprobs")) common.request.logprobs = params.integer("logprobs", 0, 0, kMostLikeliest);
  common.request.prompt_logprobs = echo && common.request.logprobs;
  params.only("best_of", {1, common.n}, "n is");
  params.only("suffix", {""}, "");
  params.refuse_rest();
  if (common.stream && (echo || common.request.logprobs)) throw ApiError{.message = "echo and logprobs are not streamed", .param = "stream", .code = "unsupported_parameter"};
  if (prompts.size() * static_cast<size_t>(common.n) > kMostTexts) throw ApiError{.message = cat("more than ", kMostTexts, " texts in one request"), .param = "n"};

  Answers answers(exchange, metrics_);
  int64_t prompt_tokens = 0;
  for (const Prompt& prompt : prompts) {
    prompt_tokens += static_cast<int64_t>(prompt.tokens.size());
    for (int64_t copy = 0; copy < common.n; ++copy) {
      GenerationRequest request = common.request;
      request.prompt = prompt.tokens;
      request.stream = answers.all().size();
      answers.submit(*common.engine, std::move(request));
    }
  }
  const Json head = envelope(new_id("cmpl-"), "text_completion", common.model);
  auto choice = [&](size_t index, const std::string& text, const Json& logprobs, const Json& reason) {
    return Json{{"index", index}, {"text", text}, {"logprobs", logprobs}, {"finish_reason", reason}};
  };
  if (common.stream) {
    answers.stream(
        nullptr, [&](size_t i, const std::string& text) { return with_choices(head, Json::array({choice(i, text, nullptr, nullptr)})); },
        [&](size_t i) { return with_choices(head, Json::array({choice(i, "", nullptr, finish_word(answers.all()[i]->reason()))})); },
        common.include_usage ? std::function([&] { return usage_event(head, usage_json(prompt_tokens, answers)); }) : nullptr);
    return;
  }
  if (!answers.wait()) return;
  Json choices = Json::array();
  for (size_t i = 0; i < answers.all().size(); ++i) {
    const Generation& generation = *answers.all()[i];
    const Prompt& prompt = prompts[i / static_cast<size_t>(common.n)];
    const auto& tokenizer = common.engine->tokenizer();
    const std::string text = echo ? base::replace_invalid_utf8(tokenizer.decode(prompt.tokens)) + generation.text() : generation.text();
    choices.push_back(choice(i, text, common.request.logprobs ? completion_logprobs(tokenizer, prompt, generation, echo) : Json(nullptr), finish_word(generation.reason())));
  }
  Json answer = with_choices(head, std::move(choices));
  answer["usage"] = usage_json(prompt_tokens, answers);
  respond_json(exchange, 200, answer);
}

void OpenAiApi::chat_completions(http::Exchange& exchange) {
  Params params(exchange.request.body);
  Common common = read_common(params);
  const auto turns = read_messages(params.find("messages"));
  const int64_t older_name = params.integer("max_tokens", settings_.defaults.max_new_tokens, 0, settings_.most_new_tokens);
  common.request.max_new_tokens = params.integer("max_completion_tokens", older_name, 0, settings_.most_new_tokens);
  if (params.boolean("logprobs", false)) common.request.logprobs = params.integer("top_logprobs", 0, 0, kMostLikeliest);
  else params.only("top_logprobs", {0}, "set logprobs to true");
  const bool may_drop = params.text("truncation", "auto") != "disabled";
  params.only("response_format", {{{"type", "text"}}}, "the answer is text");
  for (const char* tools : {"tools", "functions"}) params.only(tools, {Json::array()}, "the model calls none");
  for (const char* choice : {"tool_choice", "function_call"}) params.only(choice, {"none", "auto"}, "the model calls none");
  params.refuse_rest();
  if (common.stream && common.request.logprobs) throw ApiError{.message = "logprobs are not streamed", .param = "stream", .code = "unsupported_parameter"};

  FittedPrompt prompt;
  try {
    check_turns(turns);
  } catch (const base::Error& error) {
    throw ApiError{.message = base::replace_all(error.what(), "\n", ";"), .param = "messages"};
  }
  const ApiError too_long{.message = cat("the messages do not fit this model's context of ", common.engine->context_size(), " tokens"), .param = "messages", .code = "context_length_exceeded"};
  try {
    prompt = fit_prompt(common.engine->tokenizer(), turns, common.engine->context_size(), common.request.max_new_tokens);
  } catch (const base::Error&) {
    throw too_long;
  }
  if (prompt.dropped_turns > 0 && !may_drop) throw too_long;
  const auto prompt_tokens = static_cast<int64_t>(prompt.tokens.size());

  Answers answers(exchange, metrics_);
  for (int64_t copy = 0; copy < common.n; ++copy) {
    GenerationRequest request = common.request;
    request.prompt = prompt.tokens;
    request.stream = static_cast<uint64_t>(copy);
    answers.submit(*common.engine, std::move(request));
  }
  const std::string id = new_id("chatcmpl-");
  if (common.stream) {
    Json head = envelope(id, "chat.completion.chunk", common.model);
    if (prompt.dropped_turns > 0) head["dropped_messages"] = prompt.dropped_turns;
    auto chunk = [&](size_t index, Json delta, const Json& reason) {
      return with_choices(head, Json::array({{{"index", index}, {"delta", std::move(delta)}, {"finish_reason", reason}}}));
    };
    Json opening = head;
    opening["choices"] = Json::array();
    for (int64_t i = 0; i < common.n; ++i) opening["choices"].push_back({{"index", i}, {"delta", {{"role", "assistant"}, {"content", ""}}}, {"finish_reason", nullptr}});
    answers.stream(
        opening, [&](size_t i, const std::string& text) { return chunk(i, {{"content", text}}, nullptr); },
        [&](size_t i) { return chunk(i, Json::object(), finish_word(answers.all()[i]->reason())); },
        common.include_usage ? std::function([&] { return usage_event(head, usage_json(prompt_tokens, answers)); }) : nullptr);
    return;
  }
  if (!answers.wait()) return;
  Json answer = envelope(id, "chat.completion", common.model);
  answer["choices"] = Json::array();
  for (size_t i = 0; i < answers.all().size(); ++i) {
    const Generation& generation = *answers.all()[i];
    answer["choices"].push_back({{"index", i}, {"message", {{"role", "assistant"}, {"content", generation.text()}}},
                                 {"logprobs", common.request.logprobs ? chat_logprobs(common.engine->tokenizer(), generation) : Json(nullptr)},
                                 {"finish_reason", finish_word(generation.reason())}});
  }
  answer["usage"] = usage_json(prompt_tokens, answers);
  answer["dropped_messages"] = prompt.dropped_turns;
  respond_json(exchange, 200, answer);
}

}  // namespace picochat::serve
