// What launchers say about the place of a process.
#include <cctype>
#include <charconv>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/train/process_group.hpp"

namespace picochat::train {
namespace {

using base::cat;

int number(const Environment& environment, const char* name, std::optional<int> fallback = {}) {
  const char* text = environment(name);
  if (!text && fallback) return *fallback;
  int value = -1;
  const std::string_view digits = text ? text : "";
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (failed != std::errc() || end != digits.data() + digits.size() || value < 0)
    throw base::usage_error({.what = text ? "a launcher's variable is not a number" : "a launcher's variable is missing", .where = name, .expected = "a whole number from 0",
                             .found = text ? text : "", .remedy = "start the ranks with `picochat launch`, torchrun or srun, or unset RANK and WORLD_SIZE"});
  return value;
}

// "gpu[03-05,07],login1" -> "gpu03"
std::string first_host(const std::string& list) {
  const auto bracket = list.find('['), comma = list.find(',');
  if (bracket == std::string::npos || comma < bracket) return list.substr(0, comma);
  const auto end = list.find_first_of("-,]", bracket);
  return cat(list.substr(0, bracket), list.substr(bracket + 1, end - bracket - 1));
}

RankPlace of_slurm(const Environment& environment) {
  RankPlace place;
  place.rank = number(environment, "SLURM_PROCID");
  place.world_size = number(environment, "SLURM_STEP_NUM_TASKS");
  place.local_rank = number(environment, "SLURM_LOCALID", 0);
  if (const char* tasks = environment("SLURM_STEP_TASKS_PER_NODE")) place.local_world_size = std::max(1, std::atoi(tasks));  // "4(x2)"
  if (const char* nodes = environment("SLURM_STEP_NODELIST")) place.address = first_host(nodes);
  place.port = number(environment, "MASTER_PORT", 20000 + number(environment, "SLURM_JOB_ID", 0) % 20000);
  place.hosts_store = place.rank == 0;
  return place;
}

}  // namespace

std::optional<RankPlace> rank_place(const Environment& environment) {
  RankPlace place;
  if (environment("RANK") || environment("WORLD_SIZE")) {
    place.rank = number(environment, "RANK");
    place.world_size = number(environment, "WORLD_SIZE");
    place.local_rank = number(environment, "LOCAL_RANK", place.rank);
    place.local_world_size = number(environment, "LOCAL_WORLD_SIZE", 1);
    place.port = number(environment, "MASTER_PORT", place.port);
    const char* agent = environment("TORCHELASTIC_USE_AGENT_STORE");
    place.hosts_store = place.rank == 0 && !(agent && std::string_view(agent) == "True");
    if (const char* attempt = environment("TORCHELASTIC_RESTART_COUNT")) place.attempt = attempt;
  } else if (environment("SLURM_STEP_NUM_TASKS") && environment("SLURM_PROCID")) {  // set by srun, not by sbatch
    place = of_slurm(environment);
  } else {
    return std::nullopt;
  }
  if (const char* address = environment("MASTER_ADDR")) place.address = address;
  if (place.world_size < 1 || place.rank >= place.world_size)
    throw base::usage_error({.what = "the launcher's variables do not fit together", .where = "RANK and WORLD_SIZE", .expected = "RANK below WORLD_SIZE",
                             .found = cat("rank ", place.rank, " of ", place.world_size)});
  return place;
}

}  // namespace picochat::train
