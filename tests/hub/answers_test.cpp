#include "hub/answers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hub/url.hpp"
#include "picochat/base/error.hpp"
#include "picochat/hub/settings.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::hub {
namespace {

using ::testing::HasSubstr;

TEST(Answers, ListingsAreBelievedOnlyAsFarAsTheyMakeSense) {
  const auto page = parse_tree_page(R"([{"type":"directory","path":"d","size":0},
    {"type":"file","path":"d/x.parquet","size":5,"oid":"aa","lfs":{"oid":")" + std::string(64, 'c') + R"(","size":500,"pointerSize":130}}])", "tree");
  ASSERT_EQ(page.size(), 1u);
  EXPECT_EQ(page[0].size, 500u);
  EXPECT_EQ(page[0].sha256, std::string(64, 'c'));
  for (const char* bad : {"{}", "[3]", "<html>", "", R"([{"type":"file","path":"../up","size":1}])", R"([{"type":"file","path":"/abs","size":1}])", R"([{"type":"file","path":"x","size":-1}])",
                          R"([{"type":"file","path":"x"}])", R"([{"type":"file","path":"a//b","size":1}])", R"([{"type":"file","path":"x","size":1,"lfs":{"oid":"short","size":1}}])",
                          R"([{"type":"file","path":"x","size":99999999999999999999}])"})
    EXPECT_THROW(parse_tree_page(bad, "tree"), base::Error) << bad;
  EXPECT_THROW(parse_revision(R"({"sha":"../../etc"})", "revision"), base::Error);
  EXPECT_EQ(parse_revision(R"({"sha":"0123456789abcdef0123456789abcdef01234567","cardData":{"license":["mit","gfdl"]}})", "r").license, "mit, gfdl");
}

TEST(Answers, LinkHeaders) {
  EXPECT_EQ(next_page(R"(<https://h/a?cursor=x>; rel="next")"), "https://h/a?cursor=x");
  EXPECT_EQ(next_page(R"(<https://h/p>; rel="prev", <https://h/n>; rel="next")"), "https://h/n");
  EXPECT_EQ(next_page(R"(<https://h/p>; rel="prev")"), "");
  EXPECT_EQ(next_page("<unclosed"), "");
}

TEST(Answers, ContentRanges) {
  const auto range = parse_content_range("bytes 10-19/100");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->first, 10u);
  EXPECT_EQ(range->total, 100u);
  for (const char* bad : {"", "bytes */100", "bytes 10-9/100", "bytes 10-100/100", "bytes 1-2/*", "10-19/100", "bytes 1-2/99999999999999999999"}) EXPECT_FALSE(parse_content_range(bad)) << bad;
}

TEST(Answers, WaitsThatServersAskFor) {
  EXPECT_EQ(asked_wait("7", "", 0), 7);
  EXPECT_EQ(asked_wait("", R"("resolvers";r=0;t=55)", 0), 55);
  EXPECT_EQ(asked_wait("", R"("resolvers";r=3;t=55)", 0), std::nullopt);
  EXPECT_EQ(asked_wait("Thu, 01 Jan 1970 00:01:40 GMT", "", 40), 60);
  EXPECT_EQ(asked_wait("Thu, 01 Jan 1970 00:00:10 GMT", "", 40), 0);
  EXPECT_EQ(asked_wait("99999999", "", 0), 3600);
  EXPECT_EQ(asked_wait("soon", "nonsense", 0), std::nullopt);
}

TEST(Url, Origins) {
  EXPECT_EQ(origin_of("HTTPS://Hub.Example/x"), "https://hub.example:443");
  EXPECT_EQ(origin_of("http://127.0.0.1:81"), "http://127.0.0.1:81");
  for (const char* bad : {"ftp://h/x", "file:///etc/passwd", "https://user:secret@h/", "nonsense", "", "https://"}) EXPECT_EQ(origin_of(bad), "") << bad;
  EXPECT_EQ(resolve_url("https://h/a/b", "/c d"), "https://h/c%20d");
  EXPECT_EQ(resolve_url("https://h/a/b", "file:///etc/passwd"), "");
  EXPECT_EQ(percent_encoded("a b/ü", true), "a%20b%2F%C3%BC");
  EXPECT_EQ(printable("https://h/x?signature=secret"), "https://h/x?...");
}

TEST(Settings, ComeFromTheEnvironment) {
  test::TemporaryFolder folder;
  folder.write("home/token", "hf_from_file\n");
  std::map<std::string, std::string> variables{{"HF_HOME", (folder / "home").string()}, {"HF_ENDPOINT", "http://mirror:8080/"}};
  auto settings = [&](SettingOverrides overrides = {}) {
    return settings_from([&](const std::string& name) { return variables.contains(name) ? std::optional(variables[name]) : std::nullopt; }, overrides);
  };
  EXPECT_EQ(settings().endpoint, "http://mirror:8080");
  EXPECT_EQ(settings().datasets_server, "http://datasets-server.mirror:8080");
  EXPECT_EQ(settings().token, "hf_from_file");
  EXPECT_EQ(settings().cache, folder / "home/hub");
  EXPECT_FALSE(settings().offline);
  variables["HF_TOKEN"] = "hf_from_variable";
  variables["HF_HUB_OFFLINE"] = "YES";
  EXPECT_EQ(settings().token, "hf_from_variable");
  EXPECT_TRUE(settings().offline);
  variables["MINE"] = "hf_mine";
  EXPECT_EQ(settings({.endpoint = "https://other"  , .token_variable = "MINE"}).token, "hf_mine");
  EXPECT_THROW(settings({.endpoint = {}, .token_variable = "ABSENT"}), base::Error);
  EXPECT_THROW(settings({.endpoint = "other", .token_variable = {}}), base::Error);
  variables["HF_TOKEN"] = "two\r\nX-Evil: lines";
  EXPECT_THROW(settings(), base::Error);
  variables.erase("HF_TOKEN");
  variables["HF_HUB_DISABLE_IMPLICIT_TOKEN"] = "1";
  EXPECT_EQ(settings().token, "");
}

}  // namespace
}  // namespace picochat::hub
