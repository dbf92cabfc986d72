#include "picochat/train/process_group.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include <ATen/ATen.h>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "ranks.hpp"

namespace picochat::train {
namespace {

using testing::in_ranks;
using ::testing::HasSubstr;

Environment environment(std::map<std::string, std::string> variables) {
  auto shared = std::make_shared<std::map<std::string, std::string>>(std::move(variables));
  return [shared](const char* name) { return shared->contains(name) ? shared->at(name).c_str() : nullptr; };
}

// Values of very different size, so that another order of adding gives other bits.
at::Tensor values_of(int rank, int64_t count) {
  at::Tensor values = at::empty({count});
  auto* v = values.data_ptr<float>();
  for (int64_t i = 0; i < count; ++i) v[i] = std::sin(static_cast<float>(i * 7 + rank * 13)) * std::pow(10.0f, static_cast<float>((i + rank * 3) % 9) - 4);
  return values;
}

at::Tensor sum_in_order(int world, int64_t count) {
  at::Tensor sum = values_of(0, count);
  for (int rank = 1; rank < world; ++rank) sum += values_of(rank, count);
  return sum;
}

TEST(RankPlace, FollowsTheVariablesOfTorchrunAndSlurm) {
  EXPECT_FALSE(rank_place(environment({{"HOME", "/"}})));
  const auto plain = rank_place(environment({{"RANK", "3"}, {"WORLD_SIZE", "8"}, {"LOCAL_RANK", "1"}, {"MASTER_ADDR", "10.0.0.1"}, {"MASTER_PORT", "1234"}}));
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->rank, 3);
  EXPECT_EQ(plain->world_size, 8);
  EXPECT_EQ(plain->local_rank, 1);
  EXPECT_EQ(plain->address, "10.0.0.1");
  EXPECT_EQ(plain->port, 1234);
  EXPECT_FALSE(plain->hosts_store);
  EXPECT_TRUE(rank_place(environment({{"RANK", "0"}, {"WORLD_SIZE", "2"}}))->hosts_store);
  EXPECT_FALSE(rank_place(environment({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"TORCHELASTIC_USE_AGENT_STORE", "True"}}))->hosts_store) << "the agent hosts it";

  const auto slurm = rank_place(environment({{"SLURM_PROCID", "5"}, {"SLURM_STEP_NUM_TASKS", "16"}, {"SLURM_LOCALID", "5"}, {"SLURM_STEP_NODELIST", "gpu[03-04],gpu9"},
                                             {"SLURM_STEP_TASKS_PER_NODE", "8(x2)"}, {"SLURM_JOB_ID", "123456"}}));
  ASSERT_TRUE(slurm);
  EXPECT_EQ(slurm->rank, 5);
  EXPECT_EQ(slurm->world_size, 16);
  EXPECT_EQ(slurm->local_world_size, 8);
  EXPECT_EQ(slurm->address, "gpu03");
  EXPECT_FALSE(rank_place(environment({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "16"}}))) << "a batch script is not a rank";
}

TEST(RankPlace, RefusesVariablesThatDoNotFit) {
  EXPECT_THROW(rank_place(environment({{"RANK", "0"}})), base::Error);
  EXPECT_THROW(rank_place(environment({{"RANK", "2"}, {"WORLD_SIZE", "2"}})), base::Error);
  EXPECT_THROW(rank_place(environment({{"RANK", "x"}, {"WORLD_SIZE", "2"}})), base::Error);
}

TEST(ProcessGroup, SumsInTheOrderOfRanksOnEveryRank) {
  for (const int world : {2, 3, 4})
    for (const int64_t bucket : {int64_t{64}, int64_t{1000}, int64_t{1} << 20})
      in_ranks(world, [&](const auto& group) {
        for (const int64_t count : {int64_t{1}, int64_t{63}, int64_t{4099}}) {
          at::Tensor values = values_of(group->rank(), count);
          group->all_reduce_sum(values);
          EXPECT_TRUE(at::equal(values, sum_in_order(world, count))) << world << " ranks, bucket " << bucket << ", rank " << group->rank() << ", " << count;
        }
      }, {.bucket = bucket});
}

TEST(ProcessGroup, APartOfTheSumHasTheBitsOfTheWholeSum) {
  in_ranks(3, [](const auto& group) {
    at::Tensor whole = values_of(group->rank(), 300), part = at::empty({100}), gathered = at::empty({300});
    group->reduce_scatter_sum(whole, part);
    EXPECT_TRUE(at::equal(part, sum_in_order(3, 300).narrow(0, group->rank() * 100, 100)));
    group->all_gather(part, gathered);
    EXPECT_TRUE(at::equal(gathered, sum_in_order(3, 300)));
  });
}

TEST(ProcessGroup, SendsAndGathersSmallThingsInOrder) {
  in_ranks(4, [](const auto& group) {
    const auto rows = group->all_gather(std::vector<double>{static_cast<double>(group->rank()), 0.5});
    ASSERT_EQ(rows.size(), 4u);
    for (size_t r = 0; r < 4; ++r) EXPECT_EQ(rows[r], (std::vector<double>{static_cast<double>(r), 0.5}));
    const auto texts = group->all_gather(std::string(static_cast<size_t>(group->rank()) * 3, 'x'));
    for (size_t r = 0; r < 4; ++r) EXPECT_EQ(texts[r], std::string(r * 3, 'x'));
    EXPECT_EQ(group->broadcast(group->rank() == 0 ? "hello" : ""), "hello");
    EXPECT_EQ(group->broadcast(std::string()), "");
    at::Tensor values = values_of(group->rank(), 10);
    group->broadcast(values, 2);
    EXPECT_TRUE(at::equal(values, values_of(2, 10)));
    group->barrier();
  });
}

TEST(ProcessGroup, OrdersArriveOneAfterTheOther) {
  in_ranks(3, [](const auto& group) {
    for (int round = 0; round < 3; ++round) {
      if (group->rank() == 0) group->order(base::cat("order ", round));
      else EXPECT_EQ(group->next_order(60), base::cat("order ", round));
    }
    group->leave(60);
  });
}

TEST(ProcessGroup, ARankThatEndsIsNoticedByTheOthers) {
  std::string message;
  in_ranks(2, [&](const auto& group) {
    if (group->rank() == 1) return;  // closes its connections
    at::Tensor values = values_of(0, 1 << 16);
    try {
      for (int i = 0; i < 3; ++i) group->all_reduce_sum(values);
    } catch (const base::Error& error) {
      message = error.what();
      EXPECT_EQ(error.code(), base::ExitCode::kEnvironment);
    }
  });
  EXPECT_THAT(message, HasSubstr("rank 0 lost the connection to another rank"));
  EXPECT_THAT(message, HasSubstr("last checkpoint"));
}

TEST(ProcessGroup, ARankThatDoesNotComeIsAnEnvironmentError) {
  const auto store = JobStore::host(0);
  try {
    ProcessGroup::connect({.rank = 0, .world_size = 2, .port = store->port()}, {.connect_seconds = 0.5});
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kEnvironment);
    EXPECT_THAT(error.what(), HasSubstr("rank 0 of 2 does not reach the others"));
  }
}

}  // namespace
}  // namespace picochat::train
