// The client against a real server on loopback that misbehaves on request.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "picochat/base/error.hpp"
#include "picochat/hub/dataset.hpp"
#include "picochat/hub/remote_file.hpp"
#include "support/hub_server.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::hub {
namespace {

using test::Fault;
using test::HubServer;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string random_bytes(size_t size) {
  std::mt19937_64 engine(7);
  std::string bytes(size, '\0');
  for (auto& byte : bytes) byte = static_cast<char>(engine());
  return bytes;
}

class Remote : public ::testing::Test {
 protected:
  Remote() : bytes(random_bytes(3'000'000)), server({{"README.md", "---\nlicense: mit\n---\n"}, {"data/train-00000-of-00001.parquet", bytes}, {"x.bin", random_bytes(1000)}}) {}

  Settings settings() const {
    Settings out;
    out.endpoint = out.datasets_server = server.endpoint();
    out.cache = folder.path() / "hub";
    out.retry_seconds = 0.01;
    out.retries = 4;
    out.stall_seconds = 1;
    return out;
  }
  std::unique_ptr<Dataset> dataset(const Settings& with) { return open_hub_dataset(std::make_shared<Client>(with), server.dataset(), "main"); }
  std::shared_ptr<const base::ByteSource> open(const std::string& path = "data/train-00000-of-00001.parquet") {
    const auto set = dataset(settings());
    for (const auto& file : set->files())
      if (file.path == path) return set->open(file);
    throw std::runtime_error("no such file");
  }
  std::string read(const base::ByteSource& source, uint64_t offset, size_t size) {
    std::string out(size, '\0');
    source.read_at(offset, out);
    return out;
  }
  // The error's text, its exit code in front.
  template <typename Body>
  std::string refusal(Body body) {
    try {
      body();
    } catch (const base::Error& error) {
      return std::to_string(static_cast<int>(error.code())) + " " + error.what();
    }
    return "no error";
  }

  test::TemporaryFolder folder;
  std::string bytes;
  HubServer server;
};

TEST_F(Remote, ListsPageByPageAndReadsTheCard) {
  server.page_size = 1;
  const auto set = dataset(settings());
  EXPECT_EQ(set->commit(), HubServer::kCommit);
  EXPECT_EQ(set->license(), "mit");
  ASSERT_EQ(set->files().size(), 3u);
  EXPECT_EQ(set->files()[1].size, bytes.size());
  EXPECT_EQ(set->files()[1].sha256.size(), 64u);
}

TEST_F(Remote, ReadsRangesAndAnnouncedOnesByOneRequest) {
  const auto source = open();
  EXPECT_EQ(read(*source, 1'000'000, 600'000), bytes.substr(1'000'000, 600'000));
  const int before = server.storage_requests;
  source->will_read(100'000, 500'000);
  for (uint64_t at = 100'000; at < 600'000; at += 50'000) EXPECT_EQ(read(*source, at, 50'000), bytes.substr(at, 50'000));
  EXPECT_EQ(server.storage_requests - before, 1);
  EXPECT_EQ(read(*source, bytes.size() - 8, 8), bytes.substr(bytes.size() - 8));
  EXPECT_EQ(server.tokens_at_storage, 0);
}

TEST_F(Remote, TheTokenStaysAtTheHub) {
  server.token = "hf_secret";
  Settings with = settings();
  with.token = "hf_secret";
  const auto set = open_hub_dataset(std::make_shared<Client>(with), server.dataset(), "main");
  const auto source = set->open(set->files()[1]);
  EXPECT_EQ(read(*source, 0, 700'000), bytes.substr(0, 700'000));
  EXPECT_GT(server.storage_requests, 0);
  EXPECT_EQ(server.tokens_at_storage, 0);
}

TEST_F(Remote, ManyThreadsReadOneFile) {
  const auto source = open();
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 6; ++t)
    threads.emplace_back([&, t] {
      for (uint64_t at = static_cast<uint64_t>(t) * 1000; at + 90'000 < bytes.size(); at += 430'000) wrong += read(*source, at, 90'000) != bytes.substr(at, 90'000);
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(Remote, FailuresThatPassAreOvercome) {
  const std::vector<Fault> script{Fault::kCut, Fault::kUnavailable, Fault::kIgnoreRange, Fault::kTooMany, Fault::kExpired, Fault::kCut, Fault::kShort, Fault::kStall, Fault::kNone};
  server.storage_fault = [&](int n) { return script[static_cast<size_t>(n) % script.size()]; };
  server.hub_status = [](int n) { return n % 3 == 0 ? 429 : n % 7 == 1 ? 500 : 0; };
  const auto source = open();
  for (uint64_t at = 0; at + 300'000 <= bytes.size(); at += 900'000) EXPECT_EQ(read(*source, at, 300'000), bytes.substr(at, 300'000));
  // A cut transfer is taken up where it broke.
  EXPECT_THAT(server.storage_ranges(), ::testing::Contains("bytes=150000-299999"));
}

TEST_F(Remote, StreamsAreCheckedAgainstTheDigest) {
  const auto source = open();
  auto whole = [](const base::ByteSource& from) {
    std::string all, piece(100'000, '\0');
    const auto stream = from.stream();
    while (const size_t n = stream->read(piece)) all += piece.substr(0, n);
    return all;
  };
  EXPECT_TRUE(whole(*source) == bytes);
  RepoFile lied{.path = "x", .size = bytes.size(), .sha256 = std::string(64, 'd')};
  server.wrong_digest = false;
  const RemoteFile other(std::make_shared<Client>(settings()), server.endpoint() + "/datasets/" + server.dataset() + "/resolve/" + HubServer::kCommit + "/data/train-00000-of-00001.parquet", lied, "");
  EXPECT_THAT(refusal([&] { whole(other); }), AllOf(HasSubstr("5 "), HasSubstr("digest")));
}

TEST_F(Remote, LiesAreRefused) {
  server.storage_fault = [](int) { return Fault::kWrongRange; };
  EXPECT_THAT(refusal([&] { read(*open(), 0, 300'000); }), AllOf(HasSubstr("5 "), HasSubstr("another range")));
  server.storage_fault = [](int) { return Fault::kWrongTotal; };
  EXPECT_THAT(refusal([&] { read(*open(), 0, 300'000); }), HasSubstr("another range"));
  server.storage_fault = [](int) { return Fault::kNone; };
  server.wrong_digest = true;
  EXPECT_THAT(refusal([&] { read(*open(), 0, 300'000); }), HasSubstr("digest"));
}

TEST_F(Remote, PersistentFailuresEndWithWhatToDo) {
  server.storage_fault = [](int) { return Fault::kExpired; };
  EXPECT_THAT(refusal([&] { read(*open(), 0, 300'000); }), AllOf(HasSubstr("4 "), HasSubstr("403"), Not(HasSubstr("secret"))));
  server.storage_fault = [](int) { return Fault::kUnavailable; };
  EXPECT_THAT(refusal([&] { read(*open(), 0, 300'000); }), AllOf(HasSubstr("5 "), HasSubstr("503"), HasSubstr("goes on")));
  server.storage_fault = [](int) { return Fault::kNone; };
  server.redirect_in_a_circle = true;
  EXPECT_THAT(refusal([&] { read(*open(), 0, 300'000); }), AllOf(HasSubstr("5 "), HasSubstr("redirects")));
}

TEST_F(Remote, StatusesOfTheHub) {
  auto with = [&](int status) {
    server.always_status = status;
    return refusal([&] { dataset(settings()); });
  };
  EXPECT_THAT(with(401), AllOf(HasSubstr("4 "), HasSubstr("HF_TOKEN")));
  EXPECT_THAT(with(403), AllOf(HasSubstr("4 "), HasSubstr("GatedRepo"), HasSubstr("conditions")));
  EXPECT_THAT(with(404), AllOf(HasSubstr("4 "), HasSubstr("RepoNotFound")));
  EXPECT_THAT(with(429), AllOf(HasSubstr("5 "), HasSubstr("429")));
  EXPECT_THAT(with(500), AllOf(HasSubstr("5 "), HasSubstr("500")));
  server.always_status = 0;
  EXPECT_THAT(refusal([&] { open_hub_dataset(std::make_shared<Client>(settings()), "someone/other", "main"); }), HasSubstr("4 "));
  EXPECT_THAT(refusal([&] { open_hub_dataset(std::make_shared<Client>(settings()), "not a name/../x", "main"); }), HasSubstr("4 "));
  Settings nobody = settings();
  nobody.endpoint = "http://127.0.0.1:1";
  EXPECT_THAT(refusal([&] { dataset(nobody); }), HasSubstr("5 "));
}

TEST_F(Remote, OfflineAsksNothingAndReadsTheCacheOfOtherTools) {
  Settings with = settings();
  with.offline = true;
  EXPECT_THAT(refusal([&] { dataset(with); }), AllOf(HasSubstr("5 "), HasSubstr("HF_HUB_OFFLINE")));
  const std::string root = "hub/datasets--someone--texts/";
  folder.write(root + "refs/main", HubServer::kCommit);
  folder.write(root + "snapshots/" + HubServer::kCommit + "/data.jsonl", "{}\n");
  const auto set = dataset(with);
  EXPECT_EQ(set->commit(), HubServer::kCommit);
  ASSERT_EQ(set->files().size(), 1u);
  EXPECT_EQ(read(*set->open(set->files()[0]), 0, 3), "{}\n");
  EXPECT_EQ(server.hub_requests, 0);
}

TEST_F(Remote, FilesInTheCacheAreNotFetched) {
  folder.write(std::string("hub/datasets--someone--texts/snapshots/") + HubServer::kCommit + "/data/train-00000-of-00001.parquet", bytes);
  EXPECT_EQ(read(*open(), 5, 1000), bytes.substr(5, 1000));
  EXPECT_EQ(server.storage_requests, 0);
}

}  // namespace
}  // namespace picochat::hub
