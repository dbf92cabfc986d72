// What the page is told about runs, whole, half written or damaged; and what it cannot be made to tell.
#include <fstream>

#include "picochat/base/text.hpp"
#include "serve/server_fixture.hpp"
#include "serve/web_service.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::embedded {
const std::vector<std::pair<std::string, std::string>>& page();
}

namespace picochat::serve {
namespace {

using base::cat;
using base::Json;

std::string step_line(int step, double loss, const char* stage = "base") {
  return cat(Json{{"event", "step"}, {"stage", stage}, {"step", step}, {"train_loss", loss}, {"timing", {{"step_time_sec", 0.5}, {"tokens_per_sec", 100}}}}.dump(), "\n");
}

class MetricsFile : public testing::Test {
 protected:
  void append(const std::string& text) { std::ofstream(path_, std::ios::app | std::ios::binary) << text; }
  Json losses() {
    tail_.refresh();
    const Json stages = tail_.curves(500).at("stages");
    return stages.contains("base") ? stages.at("base").at("steps").at("train_loss") : Json(nullptr);
  }
  test::TemporaryFolder folder_;
  const base::Path path_ = folder_ / "metrics.jsonl";
  MetricsTail tail_{path_};
};

TEST_F(MetricsFile, GrowsWithTheFileAndSkipsWhatIsBroken) {
  EXPECT_EQ(losses(), nullptr);
  append("{\"event\":\"metrics\",\"version\":1}\n" + step_line(1, 5));
  EXPECT_EQ(losses(), Json({5.0}));
  append("not json\n[1]\n{\"event\": 3}\n" + step_line(2, 4));
  EXPECT_EQ(losses(), Json({5.0, 4.0}));
  EXPECT_EQ(tail_.curves(500).at("broken_lines"), 3);
  const std::string line = step_line(3, 3);
  append(line.substr(0, 20));
  EXPECT_EQ(losses(), Json({5.0, 4.0}));  // half a line is not broken, it is not finished
  append(line.substr(20));
  EXPECT_EQ(losses(), Json({5.0, 4.0, 3.0}));
  EXPECT_EQ(tail_.curves(500).at("broken_lines"), 3);
  EXPECT_EQ(tail_.step_seconds("base"), 0.5);
}

TEST_F(MetricsFile, BeginsAnewWhenTheRunWentBack) {
  append(step_line(1, 5) + step_line(2, 4) + step_line(3, 3));
  EXPECT_EQ(losses().size(), 3u);
  std::ofstream(folder_ / "new") << step_line(1, 5) << step_line(2, 2.5) << step_line(3, 2.25) << step_line(4, 2);
  std::filesystem::rename(folder_ / "new", path_);
  EXPECT_EQ(losses(), Json({5.0, 2.5, 2.25, 2.0}));
  const std::string other = step_line(1, 5.5) + step_line(2, 4.5) + step_line(3, 3.5) + step_line(4, 3) + step_line(5, 2.75);
  std::ofstream(path_, std::ios::binary) << other;  // the same file, and longer than what was read
  EXPECT_EQ(losses(), Json({5.5, 4.5, 3.5, 3.0, 2.75}));
  std::filesystem::remove(path_);
  EXPECT_EQ(losses(), nullptr);
}

TEST_F(MetricsFile, LongRunsAreShownAsMeans) {
  std::string text;
  for (int i = 1; i <= 4000; ++i) text += step_line(i, i);
  append(text);
  tail_.refresh();
  const Json steps = tail_.curves(400).at("stages").at("base").at("steps");
  EXPECT_EQ(steps.at("step").size(), 400u);
  EXPECT_EQ(steps.at("train_loss")[0], 5.5);
}

class Web : public testing::Test {
 protected:
  void SetUp() override {
    folder_.write("runs/good/run.json", R"({"options": {"scale": {"value": "tiny-cpu"}, "base_steps": {"value": 4}}, "command": "picochat run tiny"})");
    folder_.write("runs/good/metrics.jsonl", step_line(1, 5));
    folder_.write("runs/good/eval/eval_report.json", R"({"summary": {"num_passed": 1, "num_scored": 2, "pass_rate": 0.5, "category_breakdown": {"a": {"num_passed": 1, "num_scored": 2, "pass_rate": 0.5}}},
      "examples": [{"category": "a", "passed": true, "user": "x"}, {"category": "a", "passed": false, "user": "<script>", "reply": "r", "failure_reasons": ["empty_reply"]}]})");
    folder_.write("runs/damaged/run.json", "{ not json");
    folder_.write("runs/damaged/summary.json", "[1, 2]");
    folder_.write("runs/damaged/preflight.json", "{\"checks\": 5}");
    folder_.write("runs/no run/file.txt", "x");
    folder_.write("secret.json", "{\"secret\": 1}");
    folder_.write("run.json", "{\"secret\": 1}");
    options_.runs_dir = (folder_ / "runs").string();
    options_.port = 0;
    web_ = std::make_unique<WebService>(options_);
    thread_ = std::thread([this] { web_->service().run([this] { return stop_.load(); }); });
  }
  void TearDown() override {
    stop_ = true;
    thread_.join();
    web_.reset();
  }
  Answer ask(const std::string& method, const std::string& target) {
    RawClient client(web_->service().port());
    client.send(cat(method, " ", target, " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n"));
    return parse_answer(client.read_until());
  }
  test::TemporaryFolder folder_;
  WebOptions options_;
  std::unique_ptr<WebService> web_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

TEST_F(Web, TellsWhatARunHasAndWhatCannotBeRead) {
  const Json runs = ask("GET", "/api/runs").json().at("runs");
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_GE(runs[0].at("seconds_since_change"), 0.0);
  EXPECT_LT(runs[0].at("seconds_since_change"), 600.0);
  const auto hour_ago = std::filesystem::file_time_type::clock::now() - std::chrono::hours(1);
  for (const char* newest : {"good", "damaged"}) {
    for (const char* run : {"good", "damaged"})
      for (const auto& entry : std::filesystem::directory_iterator(folder_.path() / "runs" / run))
        if (entry.is_regular_file()) std::filesystem::last_write_time(entry.path(), hour_ago + std::chrono::minutes(std::string_view(run) == newest ? 30 : 0));
    EXPECT_EQ(ask("GET", "/api/runs").json().at("runs")[0].at("name"), newest) << "the newest first, whatever its name";
  }
  const Json good = ask("GET", "/api/run?name=good").json();
  EXPECT_EQ(good.at("scale"), "tiny-cpu");
  EXPECT_EQ(good.at("running"), false);
  EXPECT_EQ(good.at("boards").at("eval").at("categories")[0].at("passed"), 1);
  EXPECT_TRUE(good.at("gate").is_null());
  EXPECT_EQ(good.at("step"), 1);  // of a stage that has no evaluation yet, so no progress.json
  EXPECT_EQ(good.at("max_steps"), 4);
  EXPECT_EQ(good.at("progress"), 0.25);
  EXPECT_EQ(good.at("stages")[0].at("status"), "pending");
  const Json damaged = ask("GET", "/api/run?name=damaged").json();
  EXPECT_GE(damaged.at("problems").size(), 1u);
  EXPECT_EQ(ask("GET", "/api/curves?name=good").json().at("stages").at("base").at("steps").at("train_loss")[0], 5.0);
  const Json failing = ask("GET", "/api/failing?name=good&report=eval&category=a").json();
  EXPECT_EQ(failing.at("count"), 1);
  EXPECT_EQ(failing.at("rows")[0].at("user"), "<script>");
}

TEST_F(Web, NothingOutsideTheRunsCanBeRead) {
  for (const char* name : {"..", "../", ".", "", "good/..", "good/../..", "/", "%2e%2e", "..%2f", "no%20run", "good%00", "./good"})
    for (const char* path : {"/api/run?name=", "/api/curves?name=", "/api/failing?report=eval&name="}) {
      const Answer answer = ask("GET", cat(path, name));
      EXPECT_TRUE(answer.status == 404 || answer.status == 400) << path << name << " " << answer.body;
      EXPECT_EQ(answer.body.find("secret"), std::string::npos);
    }
  for (const char* report : {"..", "../eval", "/etc", "tokenizer", "eval/../eval", ""}) EXPECT_EQ(ask("GET", cat("/api/failing?name=good&report=", report)).status, 404) << report;
  for (const char* path : {"/secret.json", "/../secret.json", "/runs/good/run.json", "/%2e%2e/secret.json", "//etc/passwd", "/app.js/../../secret.json"}) EXPECT_EQ(ask("GET", path).status, 404) << path;
}

TEST_F(Web, ReadsOnly) {
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH"})
    for (const char* path : {"/api/runs", "/api/run?name=good"}) EXPECT_EQ(ask(method, path).status, 405) << method << path;
}

TEST_F(Web, ThePageBringsEverythingItNeeds) {
  const Answer page = ask("GET", "/");
  EXPECT_EQ(page.status, 200);
  EXPECT_NE(page.head.find("Content-Security-Policy: default-src 'none'"), std::string::npos);
  for (const auto& [name, text] : embedded::page()) {
    EXPECT_EQ(ask("GET", "/" + name).status, 200);
    const std::string without = base::replace_all(text, "http://www.w3.org/2000/svg", "");
    EXPECT_EQ(without.find("http://"), std::string::npos) << name;
    EXPECT_EQ(without.find("https://"), std::string::npos) << name;
    EXPECT_EQ(text.find("innerHTML"), std::string::npos) << name << ": text of models must not become markup";
    EXPECT_EQ(text.find("localStorage"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace picochat::serve
