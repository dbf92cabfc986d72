#include "ranks.hpp"

#include <cstdlib>

#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/threads.hpp"
#include "picochat/model/device.hpp"
#include "stage_training.hpp"

namespace picochat::factory {

using base::cat;
using base::Json;

namespace {

constexpr double kLeaveSeconds = 10;  // for the others to read the last order

// Started by `picochat launch`: it wants signs of life of a single rank too.
bool supervised() { return std::getenv("PICOCHAT_LAUNCH") != nullptr; }

void tell_end(const Group& group, int code) {
  try {
    group->order(base::dump(Json{{"end", code}}, -1));
    group->leave(kLeaveSeconds);
  } catch (const std::exception&) {  // the store is gone, and the others with it
  }
}

}  // namespace

Group join_ranks(gate::RunOptions& options, Compute& compute, const std::string& command) {
  const auto place = train::rank_place(std::getenv);
  if (!place || (place->world_size == 1 && !supervised())) {
    if (options.ddp && options.ddp_world_size > 1)
      throw base::usage_error({.what = cat("training on ", options.ddp_world_size, " ranks needs a launcher"), .where = command, .found = "this process is alone",
                               .remedy = cat("start it with `picochat launch --nproc-per-node ", options.ddp_world_size, " -- ", command, " ...`, with torchrun or srun, or add --no-ddp")});
    return nullptr;
  }
  options.ddp = true;
  options.ddp_world_size = place->world_size;
  if (options.threads == 0) options.threads = std::max(1, base::available_cores() / place->local_world_size);
  const bool cuda = compute.options.device.is_cuda();
  if (cuda) {
    compute.options.device = at::Device(at::kCUDA, static_cast<at::DeviceIndex>(place->local_rank));
    model::use_device(compute.options.device);
  }
  return train::ProcessGroup::connect(*place, {.cuda = cuda});
}

void refuse_ranks(const std::string& command) {
  if (const auto place = train::rank_place(std::getenv); place && place->world_size > 1)
    throw base::usage_error({.what = cat(command, " trains in one process"), .where = cat("WORLD_SIZE=", place->world_size), .remedy = "start it without a launcher"});
}

base::ExitCode lead(const Group& group, const std::function<base::ExitCode()>& work) {
  if (!group) return work();
  try {
    const auto code = work();
    tell_end(group, static_cast<int>(code));
    return code;
  } catch (const base::Interrupted& interrupted) {
    tell_end(group, 128 + interrupted.signal_number());
    throw;
  } catch (const base::Error& error) {
    tell_end(group, static_cast<int>(error.code()));
    throw;
  } catch (const std::exception&) {
    tell_end(group, static_cast<int>(base::ExitCode::kInternal));
    throw;
  }
}

void follow(base::FileSystem& files, const gate::RunOptions& options, const Compute& compute, const Group& group) {
  for (;;) {
    group->report(0, train::kWaitsForLeader);
    const Json order = Json::parse(group->next_order(60 * options.ddp_setup_minutes));
    if (order.contains("end")) {
      group->leave(0);
      const int code = order.at("end").get<int>();
      if (code >= 128) throw base::Interrupted(code - 128);
      if (code == 0) return;
      throw base::Error(static_cast<base::ExitCode>(code), {.what = cat("rank 0 ended with exit code ", code), .where = cat("rank ", group->rank()), .remedy = "see what rank 0 said"});
    }
    train_as_rank(files, options, compute, group, order);
  }
}

void report_phase(const Group& group, const std::string& phase) {
  if (group) group->report(0, phase);
}

}  // namespace picochat::factory
