#include "heartbeat.hpp"

#include <unistd.h>

#include <map>

#include "picochat/base/clock.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/text.hpp"

namespace picochat::train {

using base::cat;

std::string beat_key(const std::string& attempt, int rank) { return cat("beat/", attempt, "/", rank); }

Heartbeat::Heartbeat(std::shared_ptr<JobStore> store, const RankPlace& place) : store_(std::move(store)), place_(place) {
  publish();
  thread_ = std::thread([this] { run(); });
}

Heartbeat::~Heartbeat() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopping_.notify_all();
  thread_.join();
  try {
    publish();  // says that it left: silence is no sign of a fault from now on
  } catch (const std::exception&) {
  }
}

void Heartbeat::report(int64_t step, const std::string& phase, bool now) {
  {
    const std::lock_guard lock(mutex_);
    step_ = step;
    phase_ = phase;
  }
  if (now) publish();
}

void Heartbeat::publish() {
  std::string text;
  {
    const std::lock_guard lock(mutex_);
    text = base::dump({{"beat", ++beat_}, {"step", step_}, {"phase", phase_}, {"left", stop_}}, -1);
  }
  store_->set(beat_key(place_.attempt, place_.rank), text);
}

void Heartbeat::run() {
  struct Seen {
    std::string text;
    double at = 0;
  };
  std::map<int, Seen> peers;
  for (int rank = 0; rank < place_.world_size; ++rank)
    if (rank != place_.rank && (rank == 0 || place_.rank == 0)) peers[rank];
  double store_answered = base::monotonic_seconds();
  std::unique_lock lock(mutex_);
  while (!stopping_.wait_for(lock, std::chrono::duration<double>(kBeatSeconds), [this] { return stop_; })) {
    lock.unlock();
    const double begun = base::monotonic_seconds();
    try {
      publish();
      for (auto& [rank, seen] : peers) {
        const auto text = store_->get(beat_key(place_.attempt, rank));
        if (!text) continue;  // not there yet: connecting has a limit of its own
        const double now = base::monotonic_seconds();
        const bool left = base::Json::parse(*text).value("left", false);
        if (left || *text != seen.text) seen = {*text, now};
        // This process may itself have been stopped: what is not newer than its own sleep says nothing.
        else if (begun - store_answered < 5 * kBeatSeconds && now - seen.at > kSilentSeconds) {
          const auto beat = base::Json::parse(seen.text);
          give_up(cat("rank ", rank, " has not answered for ", base::fixed(now - seen.at, 0), " s; its last step was ", beat.value("step", int64_t{0}), " (",
                      beat.value("phase", ""), ")"));
        }
      }
      if (begun - store_answered >= 5 * kBeatSeconds)
        for (auto& [rank, seen] : peers) seen.at = begun;
      store_answered = base::monotonic_seconds();
    } catch (const std::exception&) {
      // The launcher, or rank 0, is gone. A signal came with it in most cases: leave the loop time to save.
      if (base::monotonic_seconds() - store_answered > kSilentSeconds) give_up("the job's store does not answer: its launcher or rank 0 is gone");
    }
    lock.lock();
  }
}

// The loop may wait in a collective that never ends, so this ends the process. Files are whole at any instant.
void Heartbeat::give_up(const std::string& what) {
  base::say(cat("error: ", what, "\n  where:    rank ", place_.rank, " of ", place_.world_size,
                "\n  to do:    see that rank's log or host; the same command goes on from the last checkpoint"));
  ::_exit(static_cast<int>(base::ExitCode::kEnvironment));
}

}  // namespace picochat::train
