// The one file that knows c10d. Its headers cost seconds to compile.
#include "picochat/train/process_group.hpp"

#include <cstring>

#include <ATen/ATen.h>

#include "heartbeat.hpp"
#include "picochat/base/clock.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/text.hpp"

#ifdef USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#ifdef USE_C10D_NCCL
#include <c10/cuda/CUDAFunctions.h>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif
#endif

namespace picochat::train {

using base::cat;

#ifdef USE_C10D_GLOO

namespace {

constexpr double kNewsSeconds = 60;   // between two lines of a rank that waits
constexpr double kStoreSeconds = 20;  // for one answer of the store

std::chrono::milliseconds milliseconds(double seconds) { return std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000)); }

// LibTorch appends a stack trace; the first line says what happened.
std::string first_line(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

class TcpJobStore final : public JobStore {
 public:
  TcpJobStore(const std::string& address, int port, bool hosts, double timeout_seconds) {
    c10d::TCPStoreOptions options;
    options.port = static_cast<uint16_t>(port);
    options.isServer = hosts;
    options.waitWorkers = false;
    options.timeout = milliseconds(timeout_seconds);
    try {
      store_ = c10::make_intrusive<c10d::TCPStore>(address, options);
      store_->setTimeout(milliseconds(kStoreSeconds));
    } catch (const std::exception& error) {
      throw base::environment_error({.what = hosts ? "the job's store cannot be opened" : "the job's store cannot be reached", .where = cat(address, ":", port), .found = first_line(error),
                                     .remedy = hosts ? "choose another port (MASTER_PORT, or --rdzv-endpoint HOST:PORT of picochat launch)" : "see that the launcher or rank 0 runs and its address and port can be reached from here"});
    }
  }
  int port() const override { return store_->getPort(); }
  void set(const std::string& key, const std::string& value) override { store_->set(key, std::vector<uint8_t>(value.begin(), value.end())); }
  std::optional<std::string> get(const std::string& key) override {
    if (!store_->check({key})) return std::nullopt;
    const auto bytes = store_->get(key);
    return std::string(bytes.begin(), bytes.end());
  }
  bool wait(const std::string& key, double timeout_seconds) override {
    const double until = base::monotonic_seconds() + timeout_seconds;
    while (!store_->check({key})) {
      if (base::monotonic_seconds() >= until) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
  }
  int64_t add(const std::string& key, int64_t amount) override { return store_->add(key, amount); }
  const c10::intrusive_ptr<c10d::TCPStore>& c10d_store() const { return store_; }

 private:
  c10::intrusive_ptr<c10d::TCPStore> store_;
};

at::Tensor host_doubles(std::vector<double>& values) { return at::from_blob(values.data(), {static_cast<int64_t>(values.size())}, at::kDouble); }

at::Tensor host_bytes(std::string& bytes) { return at::from_blob(bytes.data(), {static_cast<int64_t>(bytes.size())}, at::kByte); }

}  // namespace

std::shared_ptr<JobStore> JobStore::host(int port) { return std::make_shared<TcpJobStore>("127.0.0.1", port, true, 60); }
std::shared_ptr<JobStore> JobStore::connect(const std::string& address, int port, double timeout_seconds) {
  return std::make_shared<TcpJobStore>(address, port, false, timeout_seconds);
}

struct ProcessGroup::State {
  RankPlace place;
  GroupOptions options;
  std::shared_ptr<TcpJobStore> store;
  std::unique_ptr<Heartbeat> heartbeat;
  c10::intrusive_ptr<c10d::Backend> host, device;  // device: null without a GPU
  at::Tensor outgoing, incoming, own;              // scratch of the ordered sum
  int64_t orders = 0;

  // Runs one collective to its end; `what` names it in the error. On a GPU that is the end of the launch: the stream waits, the host does not,
  // and NCCL's own watch has the time limit.
  template <typename Start>
  void finish(const char* what, Start start, bool on_host = true) {
    try {
      const auto work = start();
      on_host ? work->wait(milliseconds(options.collective_seconds)) : work->wait();
    } catch (const std::exception& error) {
      const std::string found = first_line(error);
      try {
        heartbeat->report(0, kLostPeer, true);
      } catch (const std::exception&) {  // the store may be gone too
      }
      throw base::environment_error({.what = cat("rank ", place.rank, " ", kLostPeer), .where = what, .found = found,
                                     .remedy = "another rank ended or does not answer: its log says why. The same command goes on from the last checkpoint"});
    }
  }

  static at::Tensor scratch(at::Tensor& of, int64_t count) {
    if (!of.defined() || of.numel() < count) of = at::zeros({count});
    return of.narrow(0, 0, count);
  }
  at::Tensor outgoing_parts(int64_t part) { return scratch(outgoing, part * place.world_size); }
  at::Tensor own_part(int64_t part) { return scratch(own, part); }

  // Of what stands in outgoing_parts(part) on all ranks, this rank's part, added in the order of ranks. Returns own_part(part).
  at::Tensor sum_of_parts(int64_t part) {
    at::Tensor input = outgoing_parts(part), received = scratch(incoming, part * place.world_size), sum = own_part(part);
    std::vector<int64_t> equal;
    finish("sum of gradients over the ranks", [&] { return host->alltoall_base(received, input, equal, equal); });
    sum.copy_(received.narrow(0, 0, part));
    for (int64_t rank = 1; rank < place.world_size; ++rank) sum.add_(received.narrow(0, rank * part, part));
    return sum;
  }

  std::string key(const std::string& name, int64_t number) const { return cat(name, "/", place.attempt, "/", number); }
};

namespace {

// All buckets of a flat buffer: body(first value, count).
template <typename Body>
void for_buckets(int64_t count, int64_t bucket, Body body) {
  for (int64_t at = 0; at < count; at += bucket) body(at, std::min(bucket, count - at));
}

std::shared_ptr<gloo::transport::Device> gloo_device(const std::string& address) {
  if (const char* interface = std::getenv("GLOO_SOCKET_IFNAME")) return c10d::ProcessGroupGloo::createDeviceForInterface(interface);
  if (address == "localhost" || address == "127.0.0.1") return c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1");
  return c10d::ProcessGroupGloo::createDefaultDevice();
}

}  // namespace

std::shared_ptr<ProcessGroup> ProcessGroup::connect(const RankPlace& place, const GroupOptions& options) {
#ifndef USE_C10D_NCCL
  if (options.cuda && place.world_size > 1)
    throw base::environment_error({.what = "this build cannot train on several GPUs: it was built without NCCL", .where = "distributed training", .remedy = "build where nccl.h and CUDA are, or use --device cpu"});
#endif
  auto state = std::make_unique<State>();
  state->place = place;
  state->options = options;
  state->store = std::make_shared<TcpJobStore>(place.address, place.port, place.hosts_store, options.connect_seconds);
  // A connection of its own: the main thread may wait in the other one.
  state->heartbeat = std::make_unique<Heartbeat>(JobStore::connect(place.address, place.hosts_store ? state->store->port() : place.port, options.connect_seconds), place);
  if (place.world_size > 1) {
    auto keys = c10::make_intrusive<c10d::PrefixStore>(cat("group/", place.attempt), state->store->c10d_store());
    state->store->c10d_store()->setTimeout(milliseconds(options.connect_seconds));
    try {
      auto gloo = c10d::ProcessGroupGloo::Options::create(milliseconds(options.connect_seconds));
      gloo->devices.push_back(gloo_device(place.address));
      state->host = c10::make_intrusive<c10d::ProcessGroupGloo>(keys, place.rank, place.world_size, gloo);
#ifdef USE_C10D_NCCL
      if (options.cuda) {
        c10::cuda::set_device(static_cast<c10::DeviceIndex>(place.local_rank));
        auto nccl = c10d::ProcessGroupNCCL::Options::create();
        nccl->timeout = milliseconds(options.collective_seconds);
        state->device = c10::make_intrusive<c10d::ProcessGroupNCCL>(c10::make_intrusive<c10d::PrefixStore>("nccl", keys), place.rank, place.world_size, nccl);
      }
#endif
    } catch (const std::exception& error) {
      throw base::environment_error({.what = cat("rank ", place.rank, " of ", place.world_size, " does not reach the others"), .where = cat(place.address, ":", place.port), .found = first_line(error),
                                     .remedy = "see that every rank was started and that hosts reach each other; GLOO_SOCKET_IFNAME names the network interface"});
    }
    state->store->c10d_store()->setTimeout(milliseconds(kStoreSeconds));
  }
  return std::shared_ptr<ProcessGroup>(new ProcessGroup(std::move(state)));
}

ProcessGroup::ProcessGroup(std::unique_ptr<State> state) : state_(std::move(state)) {}
ProcessGroup::~ProcessGroup() = default;
int ProcessGroup::rank() const { return state_->place.rank; }
int ProcessGroup::world_size() const { return state_->place.world_size; }
int ProcessGroup::local_rank() const { return state_->place.local_rank; }

// Each rank owns one part of every bucket: it gets that part from all, adds in the order of ranks, and gives the sum back to all. An element's
// sum does not depend on where buckets and parts are cut.
void ProcessGroup::all_reduce_sum(const at::Tensor& flat) {
  State& s = *state_;
  if (s.place.world_size == 1) return;
  for_buckets(flat.numel(), s.options.bucket, [&](int64_t at, int64_t count) {
    at::Tensor values = flat.narrow(0, at, count);
    if (!flat.is_cpu()) {
      std::vector<at::Tensor> tensors{values};
      return s.finish("sum of gradients over the ranks", [&] { return s.device->allreduce(tensors); }, false);
    }
    const int64_t part = (count + s.place.world_size - 1) / s.place.world_size;
    at::Tensor whole = s.outgoing_parts(part), own = s.own_part(part);
    whole.narrow(0, 0, count).copy_(values);
    s.sum_of_parts(part);
    s.finish("sum of gradients over the ranks", [&] { return s.host->_allgather_base(whole, own); });
    values.copy_(whole.narrow(0, 0, count));
  });
}

void ProcessGroup::reduce_scatter_sum(const at::Tensor& whole, const at::Tensor& part) {
  State& s = *state_;
  const int64_t world = s.place.world_size, size = part.numel();
  base::require(whole.numel() == world * size, "a reduce-scatter has equal parts");
  if (world == 1) return void(part.copy_(whole));
  at::Tensor input = whole, output = part;
  if (!whole.is_cpu()) return s.finish("sum of gradients over the ranks", [&] { return s.device->_reduce_scatter_base(output, input); }, false);
  for_buckets(size, std::max<int64_t>(1, s.options.bucket / world), [&](int64_t at, int64_t count) {
    at::Tensor outgoing = s.outgoing_parts(count);
    for (int64_t rank = 0; rank < world; ++rank) outgoing.narrow(0, rank * count, count).copy_(whole.narrow(0, rank * size + at, count));
    part.narrow(0, at, count).copy_(s.sum_of_parts(count));
  });
}

void ProcessGroup::all_gather(const at::Tensor& part, const at::Tensor& whole) {
  State& s = *state_;
  const int64_t world = s.place.world_size, size = part.numel();
  base::require(whole.numel() == world * size, "a gather has equal parts");
  if (world == 1) return void(whole.copy_(part));
  at::Tensor input = part, output = whole;
  if (!part.is_cpu()) return s.finish("gathering values from the ranks", [&] { return s.device->_allgather_base(output, input); }, false);
  for_buckets(size, std::max<int64_t>(1, s.options.bucket / world), [&](int64_t at, int64_t count) {
    at::Tensor gathered = s.outgoing_parts(count), own = s.own_part(count);
    own.copy_(part.narrow(0, at, count));
    s.finish("gathering values from the ranks", [&] { return s.host->_allgather_base(gathered, own); });
    for (int64_t rank = 0; rank < world; ++rank) whole.narrow(0, rank * size + at, count).copy_(gathered.narrow(0, rank * count, count));
  });
}

void ProcessGroup::broadcast(const at::Tensor& flat, int root) {
  State& s = *state_;
  if (s.place.world_size == 1) return;
  std::vector<at::Tensor> tensors{flat};
  c10d::BroadcastOptions options;
  options.rootRank = root;
  const auto& backend = flat.is_cpu() ? s.host : s.device;
  s.finish("sending values to the ranks", [&] { return backend->broadcast(tensors, options); }, flat.is_cpu());
}

std::vector<std::vector<double>> ProcessGroup::all_gather(const std::vector<double>& values) {
  State& s = *state_;
  const size_t world = static_cast<size_t>(s.place.world_size), count = values.size();
  if (world == 1) return {values};
  std::vector<double> mine = values, all(world * count);
  at::Tensor input = host_doubles(mine), output = host_doubles(all);
  s.finish("agreement of the ranks", [&] { return s.host->_allgather_base(output, input); });
  std::vector<std::vector<double>> out;
  for (size_t rank = 0; rank < world; ++rank) out.emplace_back(all.begin() + static_cast<ptrdiff_t>(rank * count), all.begin() + static_cast<ptrdiff_t>((rank + 1) * count));
  return out;
}

std::vector<std::string> ProcessGroup::all_gather(const std::string& bytes) {
  State& s = *state_;
  if (s.place.world_size == 1) return {bytes};
  const auto lengths = all_gather(std::vector<double>{static_cast<double>(bytes.size())});
  size_t longest = 1;
  for (const auto& length : lengths) longest = std::max(longest, static_cast<size_t>(length[0]));
  std::string mine = bytes, all(longest * lengths.size(), '\0');
  mine.resize(longest);
  at::Tensor input = host_bytes(mine), output = host_bytes(all);
  s.finish("gathering results from the ranks", [&] { return s.host->_allgather_base(output, input); });
  std::vector<std::string> out;
  for (size_t rank = 0; rank < lengths.size(); ++rank) out.push_back(all.substr(rank * longest, static_cast<size_t>(lengths[rank][0])));
  return out;
}

std::string ProcessGroup::broadcast(const std::string& bytes, int root) {
  State& s = *state_;
  if (s.place.world_size == 1) return bytes;
  const bool mine = s.place.rank == root;
  c10d::BroadcastOptions options;
  options.rootRank = root;
  std::vector<double> length{mine ? static_cast<double>(bytes.size()) : 0};
  std::vector<at::Tensor> tensors{host_doubles(length)};
  s.finish("sending values to the ranks", [&] { return s.host->broadcast(tensors, options); });
  std::string out = mine ? bytes : std::string(static_cast<size_t>(length[0]), '\0');
  if (out.empty()) return out;
  tensors = {host_bytes(out)};
  s.finish("sending values to the ranks", [&] { return s.host->broadcast(tensors, options); });
  return out;
}

void ProcessGroup::barrier() { all_gather(std::vector<double>{0}); }

void ProcessGroup::report(int64_t step, const std::string& phase, bool now) { state_->heartbeat->report(step, phase, now); }

void ProcessGroup::order(const std::string& text) { state_->store->set(state_->key("order", state_->orders++), text); }

std::string ProcessGroup::next_order(double timeout_seconds) {
  State& s = *state_;
  const std::string key = s.key("order", s.orders);
  const double begun = base::monotonic_seconds();
  for (double told = begun; !s.store->wait(key, 1);) {
    base::throw_if_interrupted();
    const double now = base::monotonic_seconds();
    if (now - begun > timeout_seconds)
      throw base::environment_error({.what = cat("rank ", s.place.rank, " waited ", base::human_seconds(now - begun), " for rank 0, as long as it may"), .where = "set-up of the run",
                                     .remedy = "see rank 0's log; --ddp-setup-minutes lets the others wait longer"});
    if (now - told < kNewsSeconds) continue;
    told = now;
    std::string phase = "starting";
    if (const auto beat = s.store->get(beat_key(s.place.attempt, 0))) phase = base::Json::parse(*beat).value("phase", phase);
    base::say(cat("rank ", s.place.rank, ": waits for rank 0 (", phase, "), ", base::human_seconds(now - begun), " so far, at most ", base::human_seconds(timeout_seconds)));
  }
  ++s.orders;
  return s.store->get(key).value_or("null");
}

void ProcessGroup::leave(double seconds) {
  State& s = *state_;
  const int64_t gone = s.store->add(s.key("left", 0), 1);
  if (!s.place.hosts_store || gone == s.place.world_size) return;
  const double until = base::monotonic_seconds() + seconds;
  while (base::monotonic_seconds() < until && s.store->add(s.key("left", 0), 0) < s.place.world_size) std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

bool gloo_is_built() { return true; }

#else

namespace {

[[noreturn]] void refuse() {
  throw base::environment_error({.what = "this build cannot train on several ranks: Gloo's headers were missing when it was built", .where = "distributed training",
                                 .remedy = "install libgloo-dev (scripts/setup does) and build again, or train in one process"});
}

}  // namespace

struct ProcessGroup::State {};
ProcessGroup::ProcessGroup(std::unique_ptr<State> state) : state_(std::move(state)) {}
ProcessGroup::~ProcessGroup() = default;
std::shared_ptr<JobStore> JobStore::host(int) { refuse(); }
std::shared_ptr<JobStore> JobStore::connect(const std::string&, int, double) { refuse(); }
std::shared_ptr<ProcessGroup> ProcessGroup::connect(const RankPlace&, const GroupOptions&) { refuse(); }
int ProcessGroup::rank() const { refuse(); }
int ProcessGroup::world_size() const { refuse(); }
int ProcessGroup::local_rank() const { refuse(); }
void ProcessGroup::all_reduce_sum(const at::Tensor&) { refuse(); }
void ProcessGroup::broadcast(const at::Tensor&, int) { refuse(); }
void ProcessGroup::reduce_scatter_sum(const at::Tensor&, const at::Tensor&) { refuse(); }
void ProcessGroup::all_gather(const at::Tensor&, const at::Tensor&) { refuse(); }
std::vector<std::vector<double>> ProcessGroup::all_gather(const std::vector<double>&) { refuse(); }
std::vector<std::string> ProcessGroup::all_gather(const std::string&) { refuse(); }
std::string ProcessGroup::broadcast(const std::string&, int) { refuse(); }
void ProcessGroup::barrier() { refuse(); }
void ProcessGroup::report(int64_t, const std::string&, bool) { refuse(); }
void ProcessGroup::order(const std::string&) { refuse(); }
std::string ProcessGroup::next_order(double) { refuse(); }
void ProcessGroup::leave(double) { refuse(); }
bool gloo_is_built() { return false; }

#endif

}  // namespace picochat::train
