// The processes that train together: collectives over a group of ranks, and the store through which they find each other.
//
// Every rank calls the same functions in the same order. On the CPU (Gloo) a sum over ranks is made in the order of ranks, element by
// element, so it is the same bits on every rank, whatever the buckets; on CUDA the flat buffers go through NCCL. What fails because another
// rank ended or does not answer is an environment error; the job then ends and goes on from its last checkpoint.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace picochat::train {

// Where this process stands, as a launcher's variables say.
struct RankPlace {
  int rank = 0, world_size = 1, local_rank = 0, local_world_size = 1;
  std::string address = "127.0.0.1";  // of the store
  int port = 29500;
  bool hosts_store = false;           // rank 0 hosts it, unless the launcher does
  std::string attempt = "0";          // keys of an earlier start of the job are not read
};

using Environment = std::function<const char*(const char*)>;  // std::getenv

// RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT (torchrun, `picochat launch`), or the variables of a Slurm step; none without a
// launcher. Usage error when they are incomplete or do not fit together.
std::optional<RankPlace> rank_place(const Environment& environment);

// Small values by name, shared by the processes of a job. Environment error when it cannot be reached.
class JobStore {
 public:
  static std::shared_ptr<JobStore> host(int port);  // in this process; port 0: a free one
  static std::shared_ptr<JobStore> connect(const std::string& address, int port, double timeout_seconds);
  virtual ~JobStore() = default;
  virtual int port() const = 0;
  virtual void set(const std::string& key, const std::string& value) = 0;
  virtual std::optional<std::string> get(const std::string& key) = 0;       // does not wait
  virtual bool wait(const std::string& key, double timeout_seconds) = 0;    // true: it is there
  virtual int64_t add(const std::string& key, int64_t amount) = 0;          // returns the sum
};

struct GroupOptions {
  bool cuda = false;                   // flat buffers live on the GPU of local_rank
  double connect_seconds = 300;        // for all ranks to be there
  double collective_seconds = 600;     // for one collective; longer than the slowest checkpoint
  int64_t bucket = int64_t{1} << 22;   // float32 values that are reduced at once; part of no result
};

class ProcessGroup {
 public:
  // Waits until every rank is there. Environment error when this build has no Gloo, or a rank does not come.
  static std::shared_ptr<ProcessGroup> connect(const RankPlace& place, const GroupOptions& options = {});
  ~ProcessGroup();
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;

  int rank() const;
  int world_size() const;
  int local_rank() const;

  // Flat float32 buffers of one length on all ranks.
  void all_reduce_sum(const at::Tensor& flat);                            // every rank gets the sum
  void broadcast(const at::Tensor& flat, int root = 0);
  // `whole` has world_size parts of equal length; rank r's `part` gets the sum of part r.
  void reduce_scatter_sum(const at::Tensor& whole, const at::Tensor& part);
  void all_gather(const at::Tensor& part, const at::Tensor& whole);       // part r of `whole` is rank r's; `part` may lie in `whole`

  // Small things, on the host. In the order of ranks.
  std::vector<std::vector<double>> all_gather(const std::vector<double>& values);  // as many values on every rank
  std::vector<std::string> all_gather(const std::string& bytes);                   // any length
  std::string broadcast(const std::string& bytes, int root = 0);                   // `bytes` is read on the root only
  void barrier();

  // What this rank does, for whoever watches the job: published every second, and at once with `now`.
  void report(int64_t step, const std::string& phase, bool now = false);

  // One after the other, from rank 0 to the others, without a time limit of collectives: rank 0 may work for hours before it says the
  // next. A signal interrupts the wait. what: for the lines that say who waits; null JSON text when rank 0 has left.
  void order(const std::string& text);
  std::string next_order(double timeout_seconds);
  // Rank 0 gives the others `seconds` to read its last order before the store goes with it.
  void leave(double seconds);

 private:
  struct State;
  explicit ProcessGroup(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

bool gloo_is_built();

inline constexpr const char* kWaitsForLeader = "waits for rank 0";  // phase of a rank between two orders

}  // namespace picochat::train
