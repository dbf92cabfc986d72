#include "picochat/serve/engine.hpp"

#include <algorithm>
#include <atomic>
#include <deque>
#include <list>
#include <thread>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/model/decoder.hpp"
#include "picochat/model/determinism.hpp"
#include "picochat/model/transformer.hpp"
#include "serve/guesses.hpp"
#include "serve/row_cache.hpp"
#include "serve/sequence.hpp"

namespace picochat::serve {
namespace {

struct Waiting {
  GenerationRequest request;
  std::shared_ptr<Generation> generation;
  Generation::State* state;
};

struct Active {
  Sequence sequence;
  int64_t row;
  int64_t draft_tokens = 3;  // guessed ahead next time: more while they are right
};

int64_t row_length(const eval::LanguageModel& model, const EngineOptions& options) {
  const int64_t context = model.config.context_size;
  return options.max_length > 0 ? std::min(options.max_length, context) : context;
}

}  // namespace

struct Engine::State {
  State(eval::LanguageModel given, const EngineOptions& chosen)
      : model(std::move(given)), options(chosen), length(row_length(model, chosen)), vocab(static_cast<size_t>(model.config.vocab_size)),
        decoder(model.config, model.parameters, options.kv_cache ? options.rows : 1, options.kv_cache ? length : 1), rows(decoder),
        drafts(options.draft_tokens > 0 && options.kv_cache && decoder.can_draft() && decoder.matrix_bytes() >= options.draft_matrix_bytes),
        unproven(drafts ? std::min(options.draft_tokens + 1, length) : 0),
        logits(static_cast<size_t>(std::max({options.rows, std::min(length, options.prefill_tokens), unproven})) * vocab) {
    if (!options.kv_cache) transformer.emplace(model.config, 1, length, false, model.compute);
    thread = std::thread([this] { work(); });
  }

  void work();
  bool admit();  // false: closed for good and nothing to do
  void start(Waiting waiting);
  void drop_unwanted();
  void step();
  bool speculate();
  int64_t tokens_to_guess(const Active& one) const;
  void accept(std::list<Active>::iterator owner, const Guesses& guesses);
  void recompute();
  using Drawing = std::pair<std::list<Active>::iterator, std::span<const float>>;  // who draws a token from which logits
  void draw(std::span<const Drawing> drawings);
  bool advance(std::list<Active>::iterator owner, const model::Draw& drawn);  // false: its text has ended
  void end(std::list<Active>::iterator active);
  void fail_all(const std::string& error);

  const eval::LanguageModel model;
  const EngineOptions options;
  const int64_t length;
  const size_t vocab;
  model::Decoder decoder;
  RowCache rows;
  std::optional<model::Transformer> transformer;
  const bool drafts;
  const int64_t unproven;  // tokens that a step runs with their guesses, of all texts
  std::vector<float> logits;
  std::list<Active> active;  // in the order of arrival

  std::mutex mutex;  // of what follows
  std::condition_variable changed;
  std::deque<Waiting> waiting;
  bool closed = false, stopping = false;
  EngineCounters counters;

  std::thread thread;
};

void Engine::State::work() {
  model::set_compute_threads(options.threads);
  while (admit()) {
    try {
      drop_unwanted();
      if (active.empty()) continue;
      if (!options.kv_cache) recompute();
      else if (!drafts || !speculate()) step();
      std::lock_guard lock(mutex);
      ++counters.steps;
    } catch (const std::exception& error) {
      const std::string text = error.what();
      fail_all(text.substr(0, text.find('\n')));
    }
  }
}

// Gives free rows to those who wait, first come first served; sleeps while there is nothing to do.
bool Engine::State::admit() {
  std::unique_lock lock(mutex);
  changed.wait(lock, [this] { return stopping || !waiting.empty() || !active.empty(); });
  if (stopping) {
    for (auto& left : waiting) left.state->finish(FinishReason::kCancelled);
    waiting.clear();
    for (auto& one : active) one.sequence.finish(FinishReason::kCancelled);
    active.clear();
    return false;
  }
  while (!waiting.empty() && static_cast<int64_t>(active.size()) < options.rows) {
    Waiting next = std::move(waiting.front());
    waiting.pop_front();
    lock.unlock();
    start(std::move(next));
    lock.lock();
  }
  counters.waiting = static_cast<int64_t>(waiting.size());
  counters.active = static_cast<int64_t>(active.size());
  return true;
}

void Engine::State::start(Waiting next) {
  active.push_back({Sequence(std::move(next.request), std::move(next.generation), *next.state, *model.tokenizer, length), -1});
  if (!options.kv_cache) return;
  Active& added = active.back();
  const auto place = rows.take(added.sequence.request().prompt, added.sequence.request().prompt_logprobs);
  base::require(place.has_value(), "a row is free for every sequence");
  added.row = place->row;
  added.sequence.reuse(place->reused);
  std::lock_guard lock(mutex);
  counters.reused_tokens += static_cast<int64_t>(place->reused);
}

void Engine::State::drop_unwanted() {
  for (auto it = active.begin(); it != active.end();) {
    const auto current = it++;
    if (current->sequence.state().is_cancelled()) current->sequence.finish(FinishReason::kCancelled);
    else if (current->sequence.expired()) current->sequence.finish(FinishReason::kTime);
    else continue;
    end(current);
  }
}

// One token for every sequence whose prompt has been run, and a bounded piece of the prompts that have not.
void Engine::State::step() {
  std::vector<model::Decoder::Append> items;
  std::vector<std::list<Active>::iterator> owners;
  int64_t budget = options.prefill_tokens;
  auto run = [&](std::span<const model::Decoder::Append> some, model::Decoder::Logits which) {
    decoder.append(some, logits.data(), which);
    for (const auto& item : some) rows.ran(item.row, item.tokens);
  };
  for (auto it = active.begin(); it != active.end();) {
    const auto current = it++;
    Sequence& sequence = current->sequence;
    if (sequence.take_slide()) rows.clear(current->row);
    std::span<const TokenId> tokens = sequence.pending();
    if (tokens.size() > 1) {
      tokens = tokens.first(static_cast<size_t>(std::min(budget, static_cast<int64_t>(tokens.size()))));
      budget -= static_cast<int64_t>(tokens.size());
      if (tokens.empty()) continue;
    }
    if (sequence.scores_prompt()) {
      const model::Decoder::Append item{current->row, tokens};
      run({&item, 1}, model::Decoder::Logits::kAllTokens);
      const auto scores = std::span<const float>(logits).first(tokens.size() * vocab);
      sequence.score_prompt(scores, vocab);
      sequence.ran(tokens.size());
      if (const Drawing one{current, scores.last(vocab)}; sequence.pending().empty()) draw({&one, 1});
    } else {
      items.push_back({current->row, tokens});
      owners.push_back(current);
    }
  }
  if (items.empty()) return;
  run(items, model::Decoder::Logits::kLastToken);
  std::vector<Drawing> drawings;
  for (size_t i = 0; i < items.size(); ++i) {
    owners[i]->sequence.ran(items[i].tokens.size());
    if (owners[i]->sequence.pending().empty()) drawings.emplace_back(owners[i], std::span<const float>(logits).subspan(i * vocab, vocab));
  }
  draw(drawings);
}

// As many as were right of late, of what all texts may have together; and none that could not be used.
int64_t Engine::State::tokens_to_guess(const Active& one) const {
  const int64_t share = unproven / static_cast<int64_t>(active.size()) - 1, room = length - decoder.length(one.row) - 1;
  return std::max<int64_t>(0, std::min({one.draft_tokens, share, room, one.sequence.tokens_to_come() - 1}));
}

// A step of a few texts that guess ahead. False, and nothing done, when there is a prompt to run or nothing to guess.
bool Engine::State::speculate() {
  std::vector<Guesses> all;
  size_t wanted = 0;
  if (static_cast<int64_t>(active.size()) * 2 > unproven) return false;
  for (const Active& one : active) {
    if (one.sequence.pending().size() != 1 || one.sequence.scores_prompt()) return false;
    all.emplace_back(one.sequence, one.row, static_cast<size_t>(tokens_to_guess(one)));
    wanted += all.back().wanted();
  }
  if (wanted == 0) return false;
  guess_and_run(decoder, all, logits);
  auto owner = active.begin();
  for (const Guesses& guesses : all) accept(owner++, guesses);  // which may end it
  return true;
}

void Engine::State::accept(std::list<Active>::iterator owner, const Guesses& guesses) {
  Active& one = *owner;
  const auto tokens = guesses.tokens();
  size_t ran = 0;
  bool alive = true, right = true;
  while (alive && right && !one.sequence.slid() && ran < tokens.size()) {
    one.sequence.ran(1);
    const model::Draw& drawn = guesses.draws()[ran++];
    alive = advance(owner, drawn);
    right = ran == tokens.size() || drawn.token == tokens[ran];
  }
  decoder.truncate(one.row, decoder.length(one.row) - static_cast<int64_t>(tokens.size() - ran));
  rows.ran(one.row, tokens.first(ran));
  {
    std::lock_guard lock(mutex);
    counters.drafted_tokens += static_cast<int64_t>(tokens.size()) - 1;
    counters.accepted_tokens += static_cast<int64_t>(ran) - 1;
  }
  one.draft_tokens = ran == tokens.size() ? std::max<int64_t>(one.draft_tokens, 2 * static_cast<int64_t>(ran) - 1) : static_cast<int64_t>(ran);
  if (!alive) end(owner);
}

void Engine::State::recompute() {
  for (auto it = active.begin(); it != active.end();) {
    const auto current = it++;
    Sequence& sequence = current->sequence;
    sequence.take_slide();
    const std::vector<int32_t> ids(sequence.window().begin(), sequence.window().end());
    const model::Batch batch{.rows = 1, .length = static_cast<int64_t>(ids.size()), .tokens = ids.data()};
    std::vector<float> all(ids.size() * vocab);
    transformer->logits(batch, model.parameters, all.data());
    if (sequence.scores_prompt()) sequence.score_prompt(all, vocab);
    sequence.ran(sequence.pending().size());
    const Drawing one{current, std::span<const float>(all).last(vocab)};
    draw({&one, 1});
  }
}

void Engine::State::draw(std::span<const Drawing> drawings) {
  std::vector<model::Draw> draws;
  for (const auto& [owner, values] : drawings) draws.push_back(owner->sequence.draw(values));
  model::sample_each(draws);
  for (size_t i = 0; i < draws.size(); ++i)
    if (!advance(drawings[i].first, draws[i])) end(drawings[i].first);
}

bool Engine::State::advance(std::list<Active>::iterator owner, const model::Draw& drawn) {
  try {
    return owner->sequence.advance(drawn);
  } catch (const std::exception& error) {
    return owner->sequence.finish(FinishReason::kFailed, error.what());
  }
}

void Engine::State::end(std::list<Active>::iterator current) {
  const auto& state = current->sequence.state();
  {
    std::lock_guard lock(mutex);
    ++(state.reason == FinishReason::kFailed ? counters.failed : state.reason == FinishReason::kCancelled ? counters.cancelled : counters.finished);
    counters.generated_tokens += static_cast<int64_t>(state.tokens.size());
    counters.prompt_tokens += static_cast<int64_t>(current->sequence.request().prompt.size());
    counters.active = static_cast<int64_t>(active.size()) - 1;
  }
  if (current->row >= 0) rows.release(current->row);
  active.erase(current);
}

// After an error between rows nothing is known about the cache.
void Engine::State::fail_all(const std::string& error) {
  for (auto it = active.begin(); it != active.end();) {
    const auto current = it++;
    if (current->row >= 0) rows.clear(current->row);
    current->sequence.finish(FinishReason::kFailed, error);
    end(current);
  }
}

Engine::Engine(eval::LanguageModel model, const EngineOptions& options) {
  base::require(options.rows >= 1 && options.prefill_tokens >= 2, "an engine has a row, and runs prompts in pieces");
  state_ = std::make_unique<State>(std::move(model), options);
}

Engine::~Engine() {
  {
    std::lock_guard lock(state_->mutex);
    state_->stopping = state_->closed = true;
  }
  state_->changed.notify_all();
  state_->thread.join();
}

std::shared_ptr<Generation> Engine::submit(GenerationRequest request) {
  base::require(!request.prompt.empty() && static_cast<int64_t>(request.prompt.size()) <= state_->length, "a prompt fits the context");
  request.sampling.validate("sampling options");
  auto shared = std::make_unique<Generation::State>(request.watched);
  Generation::State* generation_state = shared.get();
  const std::shared_ptr<Generation> generation(new Generation(std::move(shared)));
  std::lock_guard lock(state_->mutex);
  if (state_->closed || static_cast<int64_t>(state_->waiting.size()) >= state_->options.queue_limit) {
    ++state_->counters.refused;
    return nullptr;
  }
  ++state_->counters.submitted;
  state_->waiting.push_back({std::move(request), generation, generation_state});
  state_->counters.waiting = static_cast<int64_t>(state_->waiting.size());
  state_->changed.notify_all();
  return generation;
}

void Engine::close() {
  std::lock_guard lock(state_->mutex);
  state_->closed = true;
}

EngineCounters Engine::counters() const {
  std::lock_guard lock(state_->mutex);
  return state_->counters;
}

const eval::LanguageModel& Engine::model() const { return state_->model; }
int64_t Engine::context_size() const { return state_->length; }
int64_t Engine::cache_bytes() const {
  const auto& config = state_->model.config;
  return 2 * config.n_layer * config.kv_dim() * state_->decoder.max_length() * state_->decoder.max_rows() * static_cast<int64_t>(sizeof(float));
}

}  // namespace picochat::serve
