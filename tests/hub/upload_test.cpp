// Pushing to a real server on loopback that checks what it gets, and misbehaves on request.
#include "picochat/hub/upload.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "picochat/base/error.hpp"
#include "support/model_hub.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::hub {
namespace {

using test::ModelHub;
using test::PushFault;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kRepo = "someone/model";

std::string random_bytes(size_t size, uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::string bytes(size, '\0');
  for (auto& byte : bytes) byte = static_cast<char>(engine());
  return bytes;
}

class Upload : public ::testing::Test {
 protected:
  Upload() {
    write("README.md", "---\nlicense: mit\n---\n# a model\n");
    write("config.json", "{\"a\": 1}\n");
    write("evidence/empty.txt", "");
    write("tokenizer.json", random_bytes(200'000, 1));
    write("model.safetensors", random_bytes(3'000'001, 2));
  }
  void write(const std::string& name, const std::string& bytes) { folder.write("model/" + name, bytes); }

  Settings settings() const {
    Settings out;
    out.endpoint = hub.endpoint();
    out.token = "hf_good";
    out.token_origin = "HF_TOKEN";
    out.retry_seconds = 0.01;
    out.retries = 8;
    out.stall_seconds = 5;
    return out;
  }
  UploadRequest request() const {
    UploadRequest out{.repo_id = kRepo, .commit_message = "a model leaves", .files = {}};
    const auto root = folder / "model";
    for (const auto& path : base::list_files(root))
      out.files.push_back({.path = path.generic_string(), .source = root / path, .size = std::filesystem::file_size(root / path), .sha256 = base::sha256_file(root / path)});
    return out;
  }
  UploadReport push(const UploadRequest& what) const { return upload(Client(settings()), what); }
  UploadReport push() const { return push(request()); }

  void expect_arrived(const std::string& branch = "main") {
    const auto files = hub.files(kRepo, branch);
    ASSERT_TRUE(files.has_value());
    EXPECT_EQ(files->size(), request().files.size() + 1);  // the repository was born with .gitattributes
    for (const auto& file : request().files) {
      ASSERT_TRUE(files->contains(file.path)) << file.path;
      EXPECT_EQ(files->at(file.path).large(), file.size >= hub.large_from) << file.path;
      EXPECT_TRUE(hub.content(files->at(file.path)) == base::read_file(file.source)) << file.path;
    }
    EXPECT_EQ(hub.tokens_at_storage, 0);
  }
  template <typename Body>
  std::string refusal(Body body) {
    try {
      body();
    } catch (const base::Error& error) {
      const std::string text = std::to_string(static_cast<int>(error.code())) + " " + error.what();
      EXPECT_THAT(text, Not(HasSubstr("hf_good")));
      return text;
    }
    return "no error";
  }

  test::TemporaryFolder folder;
  ModelHub hub{folder / "hub"};
};

TEST_F(Upload, AFolderArrivesAsItIsAndASecondPushSendsWhatChanged) {
  auto what = request();
  what.make_private = true;
  const auto first = push(what);
  expect_arrived();
  EXPECT_TRUE(hub.private_repositories.contains(kRepo));
  EXPECT_EQ(hub.message(kRepo), "a model leaves");
  EXPECT_EQ(first.bytes_sent, 3'200'001u);
  EXPECT_EQ(first.plan.count(FileState::kNew), 5u);
  EXPECT_THAT(first.url, HasSubstr("/someone/model/commit/" + first.commit));

  const int writes = hub.writes;
  const auto again = push();
  EXPECT_FALSE(again.committed);
  EXPECT_EQ(again.commit, first.commit);
  EXPECT_EQ(hub.writes, writes);  // nothing was even asked
  EXPECT_EQ(hub.commits, 1);

  write("config.json", "{\"a\": 2}\n");
  write("tokenizer.json", random_bytes(200'000, 3));
  const auto third = push();
  expect_arrived();
  EXPECT_EQ(third.plan.count(FileState::kChanged), 2u);
  EXPECT_EQ(third.plan.count(FileState::kUnchanged), 3u);
  EXPECT_EQ(third.bytes_sent, 200'000u);
  EXPECT_EQ(hub.bytes_received, 3'400'001u);
}

TEST_F(Upload, WhatAnEarlierPushLeftIsDeletedAndOtherPeoplesFilesStay) {
  push();
  hub.intrude(kRepo, "NOTES.md", "mine");
  std::filesystem::remove(folder / "model/model.safetensors");
  write("model-00001-of-00001.safetensors", random_bytes(5000, 4));
  auto what = request();
  what.replaces = [](const std::string& path) { return path.ends_with(".safetensors"); };
  const auto report = push(what);
  EXPECT_EQ(report.plan.count(FileState::kDeleted), 1u);
  const auto files = *hub.files(kRepo);
  EXPECT_FALSE(files.contains("model.safetensors"));
  EXPECT_TRUE(files.contains("model-00001-of-00001.safetensors"));
  EXPECT_EQ(hub.content(files.at("NOTES.md")), "mine");
}

TEST_F(Upload, AnotherBranchIsMadeAndMainStaysAsItIs) {
  push();
  write("config.json", "{\"a\": 7}\n");
  auto what = request();
  what.revision = "wip/7";
  push(what);
  expect_arrived("wip/7");
  EXPECT_EQ(hub.content(hub.files(kRepo)->at("config.json")), "{\"a\": 1}\n");
}

TEST_F(Upload, APlanChangesNothing) {
  const auto plan = plan_upload(Client(settings()), request());
  EXPECT_FALSE(plan.repository);
  EXPECT_EQ(plan.count(FileState::kNew), 5u);
  EXPECT_EQ(hub.writes, 0);
  EXPECT_FALSE(hub.files(kRepo).has_value());
}

// Every fault at every one of the first requests for bytes, in one piece and in parts.
struct Weather {
  PushFault fault;
  uint64_t part_size;
};
class BadWeather : public Upload, public ::testing::WithParamInterface<Weather> {};

TEST_P(BadWeather, ArrivesWholeAllTheSame) {
  hub.part_size = GetParam().part_size;
  hub.storage_fault = [](int number) { return number % 3 != 2 && number < 6 ? GetParam().fault : PushFault::kNone; };
  const auto report = push();
  expect_arrived();
  EXPECT_EQ(hub.commits, 1);
  EXPECT_GE(hub.storage_requests, GetParam().fault == PushFault::kSlow ? 2 : 4);
  EXPECT_EQ(report.bytes_sent, 3'200'001u);  // what arrived, not what was lost
}

INSTANTIATE_TEST_SUITE_P(Push, BadWeather,
                         ::testing::Values(Weather{PushFault::kCut, 0}, Weather{PushFault::kCut, 500'000}, Weather{PushFault::kBusy, 0}, Weather{PushFault::kBusy, 500'000},
                                           Weather{PushFault::kBroken, 0}, Weather{PushFault::kBroken, 500'000}, Weather{PushFault::kExpired, 0}, Weather{PushFault::kExpired, 500'000},
                                           Weather{PushFault::kSlow, 0}, Weather{PushFault::kSlow, 500'000}, Weather{PushFault::kAnswerLost, 0}, Weather{PushFault::kAnswerLost, 500'000}),
                         [](const auto& info) { return base::cat("fault_", static_cast<int>(info.param.fault), info.param.part_size ? "_parts" : "_whole"); });

TEST_F(Upload, TheHubItselfMayBeBusyBrokenOrCutOff) {
  std::map<std::string, int> seen;
  std::mutex mutex;
  hub.hub_fault = [&](const std::string& path) {
    std::lock_guard lock(mutex);
    const int time = seen[path]++;
    return time == 0 ? PushFault::kBusy : time == 1 ? PushFault::kBroken : time == 2 ? PushFault::kCut : PushFault::kNone;
  };
  push();
  expect_arrived();
  EXPECT_EQ(hub.commits, 1);
}

TEST_F(Upload, AServerThatAsksToWaitIsWaitedFor) {
  hub.retry_after = "1";
  hub.storage_fault = [](int number) { return number == 0 ? PushFault::kBusy : PushFault::kNone; };
  const auto started = std::chrono::steady_clock::now();
  push();
  EXPECT_GE(std::chrono::steady_clock::now() - started, std::chrono::milliseconds(990));
}

TEST_F(Upload, ACommitWhoseAnswerIsLostIsNotMadeTwice) {
  int lost = 0;
  hub.hub_fault = [&](const std::string& path) { return path.find("/commit/") != std::string::npos && lost++ == 0 ? PushFault::kAnswerLost : PushFault::kNone; };
  const auto report = push();
  expect_arrived();
  EXPECT_EQ(hub.commits, 1);
  EXPECT_TRUE(report.committed);
  EXPECT_EQ(report.commit.size(), 40u);
}

TEST_F(Upload, SomebodyElsesCommitInBetweenIsNotOverwritten) {
  push();
  write("config.json", "{\"a\": 3}\n");
  hub.before_commit = [&] { hub.intrude(kRepo, "config.json", "theirs"); };
  EXPECT_THAT(refusal([&] { push(); }), AllOf(HasSubstr("4 "), HasSubstr("somebody else"), HasSubstr("HTTP 412")));
  EXPECT_EQ(hub.content(hub.files(kRepo)->at("config.json")), "theirs");
}

TEST_F(Upload, ABrokenPushGoesOnWithWhatIsMissing) {
  write("second.safetensors", random_bytes(1'000'000, 9));
  hub.storage_fault = [](int number) { return number >= 1 ? PushFault::kBroken : PushFault::kNone; };
  EXPECT_THAT(refusal([&] { push(); }), AllOf(HasSubstr("5 "), HasSubstr("run the same command again")));
  EXPECT_EQ(hub.commits, 0);
  const uint64_t before = hub.bytes_received;
  hub.storage_fault = [](int) { return PushFault::kNone; };
  const auto report = push();
  expect_arrived();
  EXPECT_EQ(report.already_stored, 1u);
  EXPECT_EQ(hub.bytes_received - before, report.bytes_sent);
  EXPECT_LT(report.bytes_sent, 4'200'001u);
}

TEST_F(Upload, AnExpiredTokenIsNamedAndNotShown) {
  hub.token = "hf_another";
  EXPECT_THAT(refusal([&] { check_token(Client(settings())); }), AllOf(HasSubstr("4 "), HasSubstr("does not take the token"), HasSubstr("the token of HF_TOKEN was sent")));
  auto none = settings();
  none.token.clear();
  EXPECT_THAT(refusal([&] { check_token(Client(none)); }), HasSubstr("there is no token"));
  // It expires while bytes are under way.
  hub.token = "hf_good";
  hub.storage_fault = [&](int) { return hub.token = "hf_another", PushFault::kNone; };
  EXPECT_THAT(refusal([&] { push(); }), AllOf(HasSubstr("4 "), HasSubstr("does not take the token")));
  EXPECT_EQ(hub.commits, 0);
}

TEST_F(Upload, TheTokenDoesNotFollowARedirectToAnotherHost) {
  hub.redirect_to_stranger = true;
  EXPECT_THAT(refusal([&] { push(); }), HasSubstr("4 "));
  EXPECT_EQ(hub.tokens_at_storage, 0);
}

TEST_F(Upload, ANamespaceOfSomebodyElseIsRefused) {
  auto what = request();
  what.repo_id = "else/model";
  EXPECT_THAT(refusal([&] { push(what); }), AllOf(HasSubstr("4 "), HasSubstr("write"), HasSubstr("HTTP 403")));
}

TEST_F(Upload, NamesOfRepositories) {
  for (const char* good : {"model", "someone/model", "gowtham0992/picochat-100m-smollm-public-v1", "a.b/c_d"}) EXPECT_NO_THROW(check_repo_id(good, "--repo-id")) << good;
  for (const char* bad : {"", "/", "a/", "a/b/c", "a b", "../x", "a/..", "-a/b", "a/b.git", "https://x/y", "a/b?c"})
    EXPECT_THAT(refusal([&] { check_repo_id(bad, "--repo-id"); }), HasSubstr("2 ")) << bad;
}

// The official client as a judge of both sides: it downloads what we pushed, and its own push is understood by the test's server.
TEST_F(Upload, TheOfficialClientAgrees) {
  const char* named = std::getenv("PICOCHAT_PYTHON");
  const std::string python = named ? named : "python3";
  if (std::system((python + " -c 'import huggingface_hub' >/dev/null 2>&1").c_str()) != 0) GTEST_SKIP() << "skipped: " << python << " has no huggingface_hub";
  hub.part_size = 500'000;
  push();
  folder.write("check.py",
               "import sys, huggingface_hub as h\n"
               "source, target, repo, other = sys.argv[1:]\n"
               "h.snapshot_download(repo, local_dir=target)\n"
               "api = h.HfApi()\n"
               "api.create_repo(other, private=True)\n"
               "api.upload_folder(repo_id=other, folder_path=source, commit_message='theirs')\n");
  const std::string command = base::cat("HF_ENDPOINT=", hub.endpoint(), " HF_TOKEN=hf_good HF_HUB_DISABLE_XET=1 HF_HUB_OFFLINE=0 TRANSFORMERS_OFFLINE=0 HF_HOME=", (folder / "home").string(), " ", python, " ",
                                        (folder / "check.py").string(), " ", (folder / "model").string(), " ", (folder / "target").string(), " someone/model someone/theirs > ",
                                        (folder / "log").string(), " 2>&1");
  ASSERT_EQ(std::system(command.c_str()), 0) << folder.read("log");
  const auto theirs = *hub.files("someone/theirs");
  for (const auto& file : request().files) {
    EXPECT_TRUE(base::read_file(folder / ("target/" + file.path)) == base::read_file(file.source)) << file.path;
    EXPECT_TRUE(hub.content(theirs.at(file.path)) == base::read_file(file.source)) << file.path;
    EXPECT_EQ(theirs.at(file.path).large(), hub.files(kRepo)->at(file.path).large()) << file.path;
  }
}

// A shard as large models have them. Some minutes and 9 GB of disk: PICOCHAT_LONG_TESTS=1.
TEST_F(Upload, AShardOfThreeGigabytesArrivesThroughAllOfIt) {
  if (!std::getenv("PICOCHAT_LONG_TESTS")) GTEST_SKIP() << "skipped: PICOCHAT_LONG_TESTS is not set";
  {
    std::ofstream out(folder / "model/model.safetensors", std::ios::binary);
    const std::string block = random_bytes(1 << 20, 11);
    for (int i = 0; i < 3000; ++i) {
      std::string turned = block;
      std::rotate(turned.begin(), turned.begin() + i * 37, turned.end());
      out << turned;
    }
  }
  hub.part_size = 100'000'000;
  hub.slow_ms = 1;
  hub.storage_fault = [](int number) {
    switch (number % 7) {
      case 1: return PushFault::kCut;
      case 3: return PushFault::kBusy;
      case 4: return PushFault::kSlow;
      case 5: return PushFault::kBroken;
      case 6: return number == 20 ? PushFault::kExpired : PushFault::kAnswerLost;
      default: return PushFault::kNone;
    }
  };
  const auto report = push();
  expect_arrived();
  EXPECT_EQ(report.bytes_sent, 3000ull * (1 << 20) + 200'000);
  EXPECT_FALSE(push().committed);
}

}  // namespace
}  // namespace picochat::hub
