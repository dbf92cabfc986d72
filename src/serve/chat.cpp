#include <poll.h>
#include <unistd.h>

#include <csignal>

#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/text.hpp"
#include "picochat/serve/conversation.hpp"
#include "picochat/serve/generate.hpp"
#include "serve/choice.hpp"

namespace picochat::serve {
namespace {

using base::cat;

constexpr const char* kHelp =
    "/clear        begin anew\n"
    "/retry        another answer to the last message\n"
    "/system TEXT  tell the model who it is, and begin anew\n"
    "/quit         leave (Ctrl-D does too); Ctrl-C stops an answer";

// Lines of stdin. A signal while waiting is reported, not swallowed: reading goes through poll(), which a signal interrupts.
class LineReader {
 public:
  enum class Result { kLine, kEnd, kSignal };
  Result next(std::string& line) {
    for (;;) {
      if (const auto newline = buffer_.find('\n'); newline != std::string::npos) {
        line = buffer_.substr(0, newline);
        buffer_.erase(0, newline + 1);
        return Result::kLine;
      }
      if (base::pending_signal()) return Result::kSignal;
      pollfd input{STDIN_FILENO, POLLIN, 0};
      if (::poll(&input, 1, 200) <= 0) continue;  // a signal may also come just before poll()
      char bytes[4096];
      const ssize_t got = ::read(STDIN_FILENO, bytes, sizeof bytes);
      if (got > 0) {
        buffer_.append(bytes, static_cast<size_t>(got));
        continue;
      }
      if (got < 0 && errno == EINTR) continue;
      line = std::exchange(buffer_, "");
      return line.empty() ? Result::kEnd : Result::kLine;
    }
  }

 private:
  std::string buffer_;
};

class Conversation {
 public:
  Conversation(const ChatOptions& options, Engine& engine) : options_(options), engine_(engine), seed_(seed_of(options)) {
    if (options.system) set_system(*options.system);
  }

  void set_system(const std::string& text) {
    turns_.assign(text.empty() ? 0 : 1, {"system", text});
  }
  void clear() { std::erase_if(turns_, [](const tasks::ChatTurn& turn) { return turn.role != "system"; }); }
  // The last message again; false when there is none.
  bool retry() {
    if (turns_.empty() || turns_.back().role != "assistant") return false;
    turns_.pop_back();
    return answer();
  }
  bool ask(const std::string& message) {
    turns_.push_back({"user", message});
    return answer();
  }

 private:
  // Streams the answer. What was said when Ctrl-C came is kept: the conversation goes on from what the user saw.
  bool answer() {
    FittedPrompt prompt;
    try {
      prompt = fit_prompt(engine_.tokenizer(), turns_, engine_.context_size(), options_.max_new_tokens);
    } catch (const base::Error& error) {
      base::say(cat("error: ", error.what()));
      turns_.pop_back();
      return true;
    }
    if (prompt.dropped_turns > said_dropped_) base::say(cat("(the oldest ", prompt.dropped_turns, " messages no longer fit the model's context and are left out)"));
    said_dropped_ = prompt.dropped_turns;
    const auto generation = engine_.submit({.prompt = std::move(prompt.tokens), .max_new_tokens = options_.max_new_tokens, .sampling = options_.sampling(seed_), .stream = answers_++,
                                            .stop = options_.stop, .watched = true});
    std::string said;
    const int signal = follow(*generation, [&](const std::string& piece) {
      said += piece;
      base::write_result(piece);
    });
    base::write_result("\n");
    if (generation->reason() == FinishReason::kFailed) throw base::internal_error(generation->error());
    turns_.push_back({"assistant", said});
    if (signal == SIGINT) base::clear_pending_signal();
    else if (signal) throw base::Interrupted(signal);
    if (signal) base::say("(stopped)");
    else if (generation->reason() == FinishReason::kContext) base::say("(the model's context is full)");
    else if (generation->reason() == FinishReason::kLength) base::say(cat("(cut after ", options_.max_new_tokens, " tokens: --max-new-tokens)"));
    return true;
  }

  const ChatOptions& options_;
  Engine& engine_;
  const uint64_t seed_;
  uint64_t answers_ = 0;
  int64_t said_dropped_ = 0;
  std::vector<tasks::ChatTurn> turns_;
};

// False: leave.
bool obey(Conversation& conversation, const std::string& line) {
  const std::string word = line.substr(0, line.find(' '));
  const std::string rest(base::trim(std::string_view(line).substr(std::min(line.size(), word.size()))));
  if (word == "/quit" || word == "/exit" || line == "quit" || line == "exit") return false;
  if (word == "/clear" || line == "clear") conversation.clear(), base::say("(a new conversation)");
  else if (word == "/system") conversation.set_system(rest), base::say(rest.empty() ? "(no system message)" : "(a new conversation)");
  else if (word == "/retry") conversation.retry() ? void() : base::say("there is no answer to try again");
  else if (word.starts_with("/") && word != "/") base::say(kHelp);
  else conversation.ask(line);
  return true;
}

}  // namespace

const base::OptionTable<ChatOptions>& chat_options() {
  static const auto table = [] {
    base::OptionTable<ChatOptions> t;
    t.add("system", &ChatOptions::system, "a system message before the conversation").metavar = "TEXT";
    t.add("kv_cache", &ChatOptions::kv_cache, "keep keys and values of past tokens");
    add_choice_options(t);
    return t;
  }();
  return table;
}

base::ExitCode run_chat(const ChatOptions& options) {
  auto model = load_model(options);
  Engine engine(std::move(model), {.rows = 1, .kv_cache = options.kv_cache, .draft_tokens = options.draft_tokens, .threads = static_cast<int>(options.threads)});
  Conversation conversation(options, engine);
  const bool person = ::isatty(STDIN_FILENO) == 1;
  if (person) base::say("Type a message; /help for what else. Ctrl-C stops an answer, Ctrl-D leaves.");
  LineReader lines;
  for (;;) {
    if (person) base::write_result("> ");
    std::string line;
    const auto result = lines.next(line);
    if (result == LineReader::Result::kSignal) {
      if (base::pending_signal() != SIGINT || !person) throw base::Interrupted(base::pending_signal());
      base::clear_pending_signal();
      base::write_result("\n");
      base::say("(Ctrl-D or /quit leaves)");
      continue;
    }
    if (result == LineReader::Result::kEnd) break;
    line = std::string(base::trim(line));
    if (!line.empty() && !obey(conversation, line)) return base::ExitCode::kDone;
  }
  if (person) base::write_result("\n");
  return base::ExitCode::kDone;
}

}  // namespace picochat::serve
