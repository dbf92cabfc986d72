#include "picochat/train/launch.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <thread>

#include "heartbeat.hpp"
#include "picochat/base/clock.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/process.hpp"
#include "picochat/base/text.hpp"
#include "picochat/train/process_group.hpp"
#include "rank_process.hpp"

namespace picochat::train {
namespace {

using base::cat;
using base::Json;

constexpr double kStuckSeconds = 15;     // without a sign of life
constexpr double kLateSeconds = 120;     // for the first sign of life, once another rank gave one
constexpr double kJudgeSeconds = 2;      // after the first failure, for the others to fail of it
constexpr double kEndSeconds = 6;        // after SIGTERM
constexpr double kSaveSeconds = 600;     // after a signal to the job: checkpoints take time
constexpr double kNodesSeconds = 120;    // for the launchers of other nodes

// Why an attempt ended.
struct Verdict {
  int code = 0;
  bool restartable = false;
  std::string text;  // empty: all ranks ended well
};

class Job {
 public:
  Job(base::FileSystem& files, const LaunchOptions& options) : options_(options), logs_(log_folder(options)) {
    address_ = "127.0.0.1";
    int port = 0;
    if (options.rdzv_endpoint) {
      const auto colon = options.rdzv_endpoint->rfind(':');
      if (colon == std::string::npos || colon == 0) refuse("the address of node 0 is not HOST:PORT", "--rdzv-endpoint", *options.rdzv_endpoint);
      address_ = options.rdzv_endpoint->substr(0, colon);
      port = std::atoi(options.rdzv_endpoint->c_str() + colon + 1);
      if (port < 1 || port > 65535) refuse("the port of node 0 is not a number from 1 to 65535", "--rdzv-endpoint", *options.rdzv_endpoint);
    }
    if (options.nnodes > 1 && !options.rdzv_endpoint) refuse("several nodes need an address to meet at", "--rdzv-endpoint", "none");
    if (options.node_rank >= options.nnodes) refuse("the node's number is not below --nnodes", "--node-rank", cat(options.node_rank));
    files.make_directories(logs_);
    for (int64_t i = 0; i < options.nproc_per_node; ++i)  // logs of this job only, restarts included
      base::write_file(files, log_of(static_cast<int>(options.node_rank * options.nproc_per_node + i)), "");
    store_ = options.node_rank == 0 ? JobStore::host(port) : JobStore::connect(address_, port, kNodesSeconds);
    port_ = options.node_rank == 0 ? store_->port() : port;
  }

  int run() {
    base::say(cat("launch: ", world(), " ranks", options_.nnodes > 1 ? cat(" on ", options_.nnodes, " nodes") : "", "; logs in ", logs_.string()));
    for (int64_t attempt = 0;; ++attempt) {
      const Verdict verdict = run_attempt(attempt);
      if (verdict.text.empty()) return leave(verdict.code);
      base::say(cat("error: ", verdict.text));
      if (!verdict.restartable || attempt >= options_.max_restarts) return leave(verdict.code);
      base::say(cat("launch: start ", attempt + 2, " of at most ", options_.max_restarts + 1, "; the run goes on from its last checkpoint"));
    }
  }

 private:
  struct Rank {
    std::unique_ptr<RankProcess> process;
    std::string beat;      // its last sign of life
    double beat_at = 0;    // when it was new; 0: none yet
    double ended_at = 0;
    bool left() const { return !beat.empty() && Json::parse(beat).value("left", false); }
  };

  [[noreturn]] static void refuse(const std::string& what, const std::string& flag, const std::string& found) {
    throw base::usage_error({.what = what, .where = cat("picochat launch ", flag), .found = found, .remedy = "see picochat launch --help"});
  }

  static base::Path log_folder(const LaunchOptions& options) {
    if (options.log_dir) return *options.log_dir;
    for (size_t i = 0; i < options.command.size(); ++i) {
      if (options.command[i] == "--out-dir" && i + 1 < options.command.size()) return cat(base::Path(options.command[i + 1]).lexically_normal().string(), ".logs");
      if (options.command[i].starts_with("--out-dir=")) return cat(base::Path(options.command[i].substr(10)).lexically_normal().string(), ".logs");
    }
    return "picochat.logs";
  }

  base::Path log_of(int rank) const { return logs_ / cat("rank-", rank, ".log"); }
  int64_t world() const { return options_.nnodes * options_.nproc_per_node; }
  std::string key(const char* name) const { return cat("job/", name, "/", attempt_); }

  Verdict run_attempt(int64_t attempt) {
    attempt_ = attempt;
    ranks_.clear();
    signal_ = 0;
    failed_at_ = told_at_ = 0;
    stuck_ = -1;
    elsewhere_.clear();
    meet_nodes();
    for (int64_t local = 0; local < options_.nproc_per_node; ++local) start(static_cast<int>(local));
    double looked = base::monotonic_seconds();
    while (running()) {
      for (auto& rank : ranks_) rank.process->copy_output();
      forward_signals();
      const double now = base::monotonic_seconds();
      if (now - looked >= kBeatSeconds) {
        if (now - looked > 5 * kBeatSeconds)  // we were stopped, not they
          for (auto& rank : ranks_) rank.beat_at = rank.beat_at > 0 ? now : 0;
        looked = now;
        watch(now);
      }
      end_broken_job(now);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    for (auto& rank : ranks_) rank.process->copy_output();
    return judge();
  }

  void start(int local) {
    const int rank = static_cast<int>(options_.node_rank * options_.nproc_per_node) + local;
    std::vector<std::string> environment{
        cat("RANK=", rank), cat("WORLD_SIZE=", world()), cat("LOCAL_RANK=", local), cat("LOCAL_WORLD_SIZE=", options_.nproc_per_node), cat("MASTER_ADDR=", address_),
        cat("MASTER_PORT=", port_), "TORCHELASTIC_USE_AGENT_STORE=True", cat("TORCHELASTIC_RESTART_COUNT=", attempt_), "PICOCHAT_LAUNCH=1"};
    // NCCL's flight recorder: what each rank had started when a collective timed out.
    for (const auto& [name, value] : {std::pair<std::string, std::string>{"TORCH_NCCL_DUMP_ON_TIMEOUT", "1"}, {"TORCH_FR_DUMP_TEMP_FILE", (std::filesystem::absolute(logs_) / "nccl_trace_rank_").string()}})
      if (!std::getenv(name.c_str())) environment.push_back(cat(name, "=", value));
    ranks_.push_back({.process = std::make_unique<RankProcess>(rank, options_.command, environment, log_of(rank), rank == 0)});
  }

  bool running() {
    bool any = false;
    for (auto& rank : ranks_) {
      if (rank.process->running()) any = true;
      else if (rank.ended_at == 0) {
        rank.ended_at = base::monotonic_seconds();
        if (rank.process->code() != 0 && failed_at_ == 0) failed_at_ = rank.ended_at;
      }
    }
    return any;
  }

  void forward_signals() {
    save_asked_ = base::take_save_request() || save_asked_;
    // A rank that has not shown itself yet knows no such signal and would end.
    if (save_asked_ && std::ranges::all_of(ranks_, [](auto& rank) { return rank.beat_at > 0 || !rank.process->running(); })) {
      save_asked_ = false;
      send_all(SIGUSR1);
    }
    const int signal = base::pending_signal();
    if (signal == 0 || signal_ != 0) return;
    signal_ = signal;
    told_at_ = base::monotonic_seconds();
    base::say("launch: the ranks are told to save and end");
    send_all(signal);
  }

  void send_all(int signal) {
    for (auto& rank : ranks_) rank.process->send(signal);
  }

  // Signs of life, here; failures, on other nodes.
  void watch(double now) {
    try {
      double first = 0;
      for (auto& rank : ranks_) {
        const auto beat = store_->get(beat_key(cat(attempt_), rank.process->rank()));
        if (beat && *beat != rank.beat) rank.beat = *beat, rank.beat_at = now;
        if (rank.beat_at > 0 && (first == 0 || rank.beat_at < first)) first = rank.beat_at;
      }
      for (auto& rank : ranks_) {
        if (!rank.process->running() || rank.left() || stuck_ >= 0 || failed_at_ > 0) continue;
        const bool silent = rank.beat_at > 0 && now - rank.beat_at > kStuckSeconds;
        if (silent) stuck_ = rank.process->rank(), silent_for_ = now - rank.beat_at;
        else if (rank.beat_at == 0 && first_beat_ > 0 && now - first_beat_ > kLateSeconds) stuck_ = rank.process->rank(), silent_for_ = now - first_beat_;
      }
      if (first_beat_ == 0 || attempt_of_first_ != attempt_) first_beat_ = first, attempt_of_first_ = attempt_;
      if (options_.nnodes > 1 && elsewhere_.empty()) elsewhere_ = store_->get(key("failed")).value_or("");
    } catch (const std::exception&) {
      if (options_.node_rank != 0 && elsewhere_.empty()) elsewhere_ = "the launcher of node 0 is gone";
    }
  }

  // Once a rank has failed the others cannot go on: they are asked to end, then ended.
  void end_broken_job(double now) {
    if (stuck_ >= 0) return send_all(SIGKILL);  // a stopped process hears nothing else
    if (signal_ != 0 && now - told_at_ > kSaveSeconds) return send_all(SIGKILL);
    if (failed_at_ == 0 && !elsewhere_.empty()) failed_at_ = now;
    if (failed_at_ == 0 || signal_ != 0) return;
    if (now - failed_at_ > kJudgeSeconds + kEndSeconds) send_all(SIGKILL);
    else if (now - failed_at_ > kJudgeSeconds && told_at_ == 0) told_at_ = now, send_all(SIGTERM);
  }

  // The rank that the others failed of: one that was killed, else one that did not just lose a peer; of those the first.
  const Rank* culprit() const {
    const Rank* found = nullptr;
    auto weight = [&](const Rank& rank) {
      if (rank.process->rank() == stuck_) return 3;
      const bool ours = told_at_ > 0 && rank.ended_at >= told_at_;
      if (rank.process->killed_by() != 0 && !ours && stuck_ < 0) return 2;
      const bool lost_peer = !rank.beat.empty() && Json::parse(rank.beat).value("phase", "") == kLostPeer;
      const bool follows = rank.process->rank() != 0 && !rank.beat.empty() && Json::parse(rank.beat).value("phase", "") == kWaitsForLeader;  // it ends as rank 0 did
      return lost_peer || ours || follows ? 0 : 1;
    };
    for (const auto& rank : ranks_) {
      if (rank.process->code() == 0) continue;
      if (!found || weight(rank) > weight(*found) || (weight(rank) == weight(*found) && rank.ended_at < found->ended_at)) found = &rank;
    }
    return found;
  }

  Verdict judge() {
    watch(base::monotonic_seconds());
    const Rank* rank = culprit();
    if (!rank) return {};
    const auto& process = *rank->process;
    if (signal_ != 0 && stuck_ < 0) {
      const bool saved = std::all_of(ranks_.begin(), ranks_.end(), [&](const Rank& r) { return r.process->code() == 0 || r.process->code() == 128 + signal_; });
      if (saved) return {.code = 128 + signal_};
    }
    if (!elsewhere_.empty() && process.rank() != stuck_ && process.killed_by() == 0)
      return {.code = static_cast<int>(base::ExitCode::kEnvironment), .restartable = true, .text = cat("another node failed: ", elsewhere_)};
    Verdict verdict{.code = process.code()};
    std::string what = cat("ended with exit code ", process.code());
    if (process.rank() == stuck_) what = rank->beat.empty() ? cat("gave no sign of life within ", base::fixed(silent_for_, 0), " s") : cat("has not answered for ", base::fixed(silent_for_, 0), " s and was ended");
    else if (process.killed_by() != 0) what = cat("was killed by signal ", process.killed_by(), " (", ::strsignal(process.killed_by()), ")");
    if (process.rank() == stuck_ || process.killed_by() != 0) verdict.code = static_cast<int>(base::ExitCode::kEnvironment);
    verdict.restartable = verdict.code == static_cast<int>(base::ExitCode::kEnvironment) || verdict.code == static_cast<int>(base::ExitCode::kInternal);
    std::string step = "it had not reported a step";
    if (!rank->beat.empty()) {
      const Json beat = Json::parse(rank->beat);
      const auto phase = beat.value("phase", "");
      const int64_t at = beat.value("step", int64_t{0});
      step = at > 0 ? cat("its last step was ", at, " (", phase, ")") : cat("it was at: ", phase);
    }
    const std::string error = process.last_error();
    verdict.text = cat("rank ", process.rank(), " ", what, "; ", step, "\n  where:    ", process.log().string(), error.empty() ? "" : cat("\n  found:    ", error),
                       "\n  to do:    ", verdict.restartable ? "the same command goes on from the last checkpoint; --max-restarts N does so by itself" : "see the error above");
    if (options_.nnodes > 1) tell_nodes(verdict.text);
    return verdict;
  }

  void tell_nodes(const std::string& text) {
    try {
      store_->set(key("failed"), cat("node ", options_.node_rank, ": ", text.substr(0, text.find('\n'))));
    } catch (const std::exception&) {
    }
  }

  // Before an attempt the launchers wait for each other.
  void meet_nodes() {
    if (options_.nnodes == 1) return;
    const double until = base::monotonic_seconds() + kNodesSeconds;
    store_->add(key("ready"), 1);
    while (store_->add(key("ready"), 0) < options_.nnodes) {
      base::throw_if_interrupted();
      if (base::monotonic_seconds() > until)
        throw base::environment_error({.what = cat("not all of ", options_.nnodes, " nodes came within ", base::fixed(kNodesSeconds, 0), " s"), .where = *options_.rdzv_endpoint,
                                       .remedy = "start picochat launch on every node with the same --nnodes and --rdzv-endpoint"});
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }

  // Node 0 has the store: it goes last.
  int leave(int code) {
    if (options_.nnodes == 1) return code;
    try {
      const double until = base::monotonic_seconds() + kNodesSeconds;
      store_->add("job/left", 1);
      while (options_.node_rank == 0 && store_->add("job/left", 0) < options_.nnodes && base::monotonic_seconds() < until) std::this_thread::sleep_for(std::chrono::milliseconds(100));
    } catch (const std::exception&) {
    }
    return code;
  }

  const LaunchOptions& options_;
  const base::Path logs_;
  std::string address_;
  int port_ = 0;
  std::shared_ptr<JobStore> store_;
  // of the present attempt
  int64_t attempt_ = 0, attempt_of_first_ = -1;
  std::vector<Rank> ranks_;
  int signal_ = 0, stuck_ = -1;
  bool save_asked_ = false;  // and not passed on yet
  double failed_at_ = 0, told_at_ = 0, silent_for_ = 0, first_beat_ = 0;
  std::string elsewhere_;  // what failed on another node
};

}  // namespace

const base::OptionTable<LaunchOptions>& launch_options() {
  static const auto table = [] {
    using O = LaunchOptions;
    base::OptionTable<O> t;
    t.add("nproc_per_node", &O::nproc_per_node, "ranks on this host, one for each GPU").at_least(1).must();
    t.add("nnodes", &O::nnodes, "hosts of the job; start picochat launch on each").at_least(1);
    t.add("node_rank", &O::node_rank, "number of this host, from 0").at_least(0);
    t.add("rdzv_endpoint", &O::rdzv_endpoint, "where the hosts meet: address of node 0 and a free port there").metavar = "HOST:PORT";
    t.add("max_restarts", &O::max_restarts, "times that a job that failed starts again from its last checkpoint").at_least(0);
    t.add("log_dir", &O::log_dir, "folder for rank-N.log; else the command's --out-dir with .logs added").metavar = "DIR";
    t.add("on_exit", &O::on_exit, "shell command that runs when the job ends, however it ends (to stop paying)").metavar = "CMD";
    t.add("command", &O::command, "after --: the command that every rank runs, as in -- run tiny ...").place();
    return t;
  }();
  return table;
}

int launch(base::FileSystem& files, const LaunchOptions& options) {
  if (options.command.empty())
    throw base::usage_error({.what = "there is nothing to launch", .where = "picochat launch", .expected = "picochat launch --nproc-per-node N -- run tiny ...", .remedy = "put -- and the command after the launcher's own flags"});
  if (options.command.front() == "launch") throw base::usage_error({.what = "a launcher does not launch launchers", .where = "picochat launch"});
  const OnExit on_exit(options.on_exit, "");
  const int code = Job(files, options).run();
  on_exit.ends_with(code);
  return code;
}

OnExit::OnExit(std::optional<std::string> command, const std::string& of) : command_(std::move(command)) {
  if (command_ && !of.empty() && std::getenv("PICOCHAT_LAUNCH"))
    throw base::usage_error({.what = "--on-exit belongs to the launcher", .where = cat("picochat launch -- ", of), .remedy = "put it before the --: picochat launch --on-exit CMD -- ..."});
}

OnExit::~OnExit() {
  if (!command_) return;
  if (const int signal = base::pending_signal(); signal != 0 && code_ == 1) code_ = 128 + signal;
  base::say(cat("--on-exit: ", *command_));
  const auto result = base::run_process({"/bin/sh", "-c", *command_}, {cat("PICOCHAT_EXIT_CODE=", code_)}, base::Streams::kInherit);
  if (result.code != 0) base::warn(cat("--on-exit ended with exit code ", result.code));
}

}  // namespace picochat::train
