// The tiny lane as a newcomer goes through it, and the page as a browser shows it. The pictures lie in
// page_pictures/ of the build folder. Without a Chromium (PICOCHAT_CHROMIUM, or on the PATH) the page's tests say so.
#include <gtest/gtest.h>

#include <httplib.h>

#include "acceptance/background.hpp"
#include "picochat/base/text.hpp"
#include "support/browser.hpp"

namespace picochat::acceptance {
namespace {

namespace fs = std::filesystem;
using base::cat;
using test::Browser;

const fs::path kPictures = fs::path(kProgram).parent_path().parent_path() / "page_pictures";

std::string sample_text() {
  std::string text;
  for (int i = 0; i < 4000; ++i)
    text += cat("Line ", i, " of the story tells how the ", i % 7 ? "miller" : "baker", " walked to town ", i % 13, " with ", i % 29, " loaves and came home late.\n");
  return text;
}

std::vector<std::string> tiny_run(const fs::path& text, const fs::path& out, int base_steps) {
  return {"run", "tiny", "--scale", "tiny-cpu", "--corpus-input", text.string(), "--out-dir", out.string(), "--base-steps", std::to_string(base_steps), "--sft-steps", "4", "--val-tokens", "2048",
          "--sft-fit-max-rows", "20", "--eval-max-new-tokens", "8", "--checkpoint-every-steps", "5"};
}

// Three lines of text to be looked at by people: every page, at two widths, in light and dark.
void pictures(Browser& browser, const std::string& name) {
  for (const bool dark : {false, true})
    for (const auto& [screen, width, height] : {std::tuple{"phone", 390, 844}, std::tuple{"desktop", 1280, 900}}) {
      browser.screen(width, height, dark);
      EXPECT_LE(browser.evaluate("document.documentElement.scrollWidth").get<int>(), width) << name << " is wider than the " << screen;
      browser.picture(kPictures / cat(name, "-", screen, dark ? "-dark" : "-light", ".png"));
    }
  browser.screen(1280, 900, false);
}

class Page : public testing::Test {
 protected:
  void SetUp() override {
    const auto program = Browser::find();
    if (!program) GTEST_SKIP() << "skipped: no Chromium";
    browser_ = std::make_unique<Browser>(*program);
    browser_->screen(1280, 900, false);
    fs::create_directories(folder_ / "runs");
    text_ = folder_.write("story.txt", sample_text());
  }
  void start_page(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"web", "--runs-dir", (folder_ / "runs").string(), "--port", "0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    page_ = std::make_unique<Background>(arguments, folder_ / "web.log");
    address_ = page_->address();
    ASSERT_NE(address_, "") << page_->log();
  }
  void open(const std::string& hash) { browser_->open(cat(address_, "/#/", hash)); }
  ::testing::AssertionResult shows(const std::string& what, double seconds = 60) {
    if (browser_->wait_for(cat("document.body && document.body.innerText.includes(", base::Json(what).dump(), ")"), seconds)) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "\"" << what << "\" does not appear in:\n" << browser_->text();
  }

  TemporaryFolder folder_;
  fs::path text_;
  std::unique_ptr<Browser> browser_;
  std::unique_ptr<Background> page_;
  std::string address_;
};

TEST_F(Page, WatchesARunFromNothingToItsVerdictThroughARestart) {
  start_page();
  open("");
  ASSERT_TRUE(shows("scripts/quickstart"));  // what to do when there is nothing
  pictures(*browser_, "empty");

  const fs::path run = folder_ / "runs/first";
  auto training = std::make_unique<Background>(tiny_run(text_, run, 100'000), folder_ / "run.log");
  ASSERT_TRUE(shows("running")) << training->log();
  open("run/first");
  ASSERT_TRUE(shows("base: at work")) << training->log();
  ASSERT_TRUE(browser_->wait_for("document.querySelector('figure svg polyline')"));
  ASSERT_TRUE(shows("left in this stage"));
  const auto step = [&] { return browser_->evaluate("Number(document.querySelector('progress').value)").get<double>(); };
  const double before = step();
  ASSERT_TRUE(browser_->wait_for(cat("document.querySelector('progress').value > ", before)));  // without a reload
  pictures(*browser_, "training");

  ASSERT_EQ(training->stop(SIGTERM), 128 + SIGTERM) << training->log();
  ASSERT_TRUE(shows("not at work and not complete"));
  fs::remove_all(run);  // a shorter run of the same name: the page begins anew with it
  training = std::make_unique<Background>(tiny_run(text_, run, 12), folder_ / "run.log");
  ASSERT_TRUE(shows("Release gate warn", 120)) << training->log();
  EXPECT_EQ(training->wait(), 0) << training->log();
  ASSERT_TRUE(shows("done"));
  EXPECT_TRUE(shows("step 4 of 4"));
  EXPECT_TRUE(shows("What to do:"));
  EXPECT_EQ(browser_->text().find("[object"), std::string::npos);
  std::ofstream(run / "metrics.jsonl", std::ios::app) << "{\"event\": \"step\", broken\n";
  EXPECT_TRUE(shows("1 line of metrics.jsonl could not be read"));
  EXPECT_TRUE(browser_->wait_for("document.querySelectorAll('figure svg polyline').length > 5"));

  browser_->evaluate("[...document.querySelectorAll('button')].find((b) => b.textContent === 'Failing rows').click()");
  EXPECT_TRUE(shows("Why it failed:", 20) || browser_->wait_for("document.querySelector('[data-rows] details')"));
  pictures(*browser_, "run");

  // Two runs side by side.
  fs::copy(run, folder_ / "runs/second", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  open("compare/first/second");
  ASSERT_TRUE(shows("Held-out loss"));
  EXPECT_TRUE(browser_->wait_for("document.querySelectorAll('figure svg polyline').length >= 2 || document.querySelectorAll('figure svg circle').length >= 2"));
  EXPECT_TRUE(shows("evaluation: identity"));
  pictures(*browser_, "compare");
  open("");
  ASSERT_TRUE(shows("second"));
  pictures(*browser_, "runs");

  // The keyboard alone is enough to talk with a model.
  open("chat/first");
  ASSERT_TRUE(browser_->wait_for("document.activeElement && document.activeElement.id === 'message'"));
  browser_->type("What is your name?");
  browser_->press("Enter");
  ASSERT_TRUE(browser_->wait_for("document.querySelector('.turns .assistant') && document.querySelector('.turns').getAttribute('aria-busy') === 'false'")) << page_->log();
  EXPECT_EQ(browser_->evaluate("document.querySelectorAll('.turns li').length"), 2);
  pictures(*browser_, "chat");
  EXPECT_EQ(browser_->evaluate("performance.getEntriesByType('resource').filter((r) => !r.name.startsWith(location.origin)).length"), 0);  // nothing from elsewhere

  // The server goes and comes back.
  page_->stop(SIGTERM);
  EXPECT_TRUE(browser_->wait_for("location.hash = '#/'") && shows("does not answer"));
}

TEST_F(Page, AsksForTheKeyAndKeepsItOutOfAddressesAndLogs) {
  folder_.write("key", "open sesame\n");
  start_page({"--api-key-file", (folder_ / "key").string(), "--log-requests"});
  open("");
  ASSERT_TRUE(browser_->wait_for("document.querySelector('input#key')"));
  browser_->evaluate("document.querySelector('input#key').focus()");
  browser_->type("wrong");
  browser_->press("Enter");
  ASSERT_TRUE(browser_->wait_for("document.querySelector('input#key') && document.querySelector('input#key').value === ''"));
  browser_->evaluate("document.querySelector('input#key').focus()");
  browser_->type("open sesame");
  browser_->press("Enter");
  ASSERT_TRUE(shows("No runs yet"));
  EXPECT_EQ(browser_->evaluate("location.href + performance.getEntries().map((e) => e.name).join()").get<std::string>().find("sesame"), std::string::npos);
  EXPECT_EQ(page_->log().find("sesame"), std::string::npos);
  EXPECT_NE(page_->log().find("GET refused 401"), std::string::npos);
}

TEST(TinyLane, RunsExportsServesAndShows) {
  TemporaryFolder folder;
  const fs::path run = folder / "runs/lane", text = folder.write("story.txt", sample_text());
  Program program(folder.path());
  const auto trained = program.run(tiny_run(text, run, 12));
  ASSERT_EQ(trained.code, 0) << trained.errors;
  const auto exported = program.run({"export", "hf", "--checkpoint", (run / "sft/checkpoint").string(), "--tokenizer", (run / "tokenizer.json").string(), "--out-dir", (folder / "export").string(), "--license", "mit"});
  ASSERT_EQ(exported.code, 0) << exported.errors;
  const auto generated = program.run({"generate", run.string(), "--prompt", "Line", "--max-new-tokens", "20", "--temperature", "0"});
  ASSERT_EQ(generated.code, 0) << generated.errors;
  EXPECT_TRUE(generated.output.starts_with("Line"));
  const auto again = program.run({"generate", run.string(), "--prompt", "Line", "--max-new-tokens", "20", "--temperature", "0", "--no-kv-cache"});
  EXPECT_EQ(again.output, generated.output);

  Background server({"serve", run.string(), "--port", "0"}, folder / "serve.log");
  const std::string address = server.address();
  ASSERT_NE(address, "") << server.log();
  httplib::Client client(address);
  auto completion = client.Post("/v1/completions", R"({"prompt": "Line", "max_tokens": 20, "temperature": 0})", "application/json");
  ASSERT_TRUE(completion);
  EXPECT_EQ("Line" + base::Json::parse(completion->body).at("choices")[0].at("text").get<std::string>() + "\n", generated.output);
  EXPECT_EQ(server.stop(SIGINT), 0) << server.log();

  Background page({"web", "--runs-dir", (folder / "runs").string(), "--port", "0"}, folder / "web.log");
  httplib::Client browser(page.address());
  auto runs = browser.Get("/api/runs");
  ASSERT_TRUE(runs);
  EXPECT_EQ(base::Json::parse(runs->body).at("runs")[0].at("verdict"), "warn");
  auto shown = browser.Get("/");
  ASSERT_TRUE(shown);
  EXPECT_NE(shown->body.find("<title>picochat</title>"), std::string::npos);
  EXPECT_EQ(page.stop(SIGTERM), 0) << page.log();
}

TEST(Chat, TakesLinesAndKeepsTheConversation) {
  TemporaryFolder folder;
  Program program(folder.path());
  const auto missing = program.run({"chat", (folder / "nothing").string()});
  EXPECT_EQ(missing.code, 4);
  EXPECT_NE(missing.errors.find("no such run"), std::string::npos);
  const auto none = program.run({"generate", "--prompt", "a"});
  EXPECT_EQ(none.code, 2);
  EXPECT_NE(none.errors.find("picochat run tiny"), std::string::npos);
  const auto open = program.run({"serve", (folder / "nothing").string(), "--host", "0.0.0.0"});
  EXPECT_EQ(open.code, 2);
  EXPECT_NE(open.errors.find("there is no key"), std::string::npos);
}

}  // namespace
}  // namespace picochat::acceptance
