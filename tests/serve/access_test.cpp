// Who may ask, and what other sites' pages cannot do.
#include "picochat/base/error.hpp"
#include "serve/server_fixture.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::serve {
namespace {

class WithKey : public ServerFixture {
 protected:
  void SetUp() override {
    auto o = options();
    o.access.api_key = "correct horse";
    start(o);
  }
};

TEST_F(WithKey, EveryRouteButHealthWantsIt) {
  const std::string right = "Authorization: Bearer correct horse\r\n";
  EXPECT_EQ(get("/healthz").status, 200);
  for (const char* path : {"/v1/models", "/metrics", "/nothing"}) {
    EXPECT_EQ(get(path).status, 401) << path;
    for (const char* wrong : {"Authorization: Bearer correct hors\r\n", "Authorization: Bearer correct horse2\r\n", "Authorization: correct horse\r\n", "Authorization: Basic abc\r\n",
                              "Authorization: Bearer\r\n", "X-Api-Key: correct horse\r\n"})
      EXPECT_EQ(get(path, wrong).status, 401) << wrong;
  }
  EXPECT_EQ(get("/v1/models?key=correct+horse&token=correct+horse").status, 401);  // a key has no place in an address
  EXPECT_EQ(get("/v1/models", right).status, 200);
  EXPECT_EQ(get("/metrics", right).status, 200);
  EXPECT_EQ(post("/v1/completions", R"({"prompt": "a", "max_tokens": 1})", right).status, 200);
  EXPECT_EQ(get("/metrics", right).body.find("horse"), std::string::npos);
}

class NoKey : public ServerFixture {
 protected:
  void SetUp() override {
    auto o = options();
    o.access.allow_origin = {"https://good.example"};
    start(o);
  }
  Answer from(const std::string& headers) {
    return ask("POST /v1/completions HTTP/1.1\r\n" + headers + "Content-Type: application/json\r\nConnection: close\r\nContent-Length: 32\r\n\r\n{\"prompt\": \"a\", \"max_tokens\": 1}");
  }
};

TEST_F(NoKey, OtherSitesAndOtherNamesAreRefused) {
  EXPECT_EQ(from("Host: localhost\r\n").status, 200);
  EXPECT_EQ(from("Host: 127.0.0.1:80\r\n").status, 200);
  EXPECT_EQ(from("Host: [::1]:80\r\n").status, 200);
  EXPECT_EQ(from("Host: evil.example\r\n").status, 421);           // a name that was made to point here
  EXPECT_EQ(from("Host: localhost.evil.example\r\n").status, 421);
  EXPECT_EQ(from("Host: 127.0.0.1.evil.example\r\n").status, 421);
  EXPECT_EQ(from("Host: localhost\r\nOrigin: http://localhost\r\n").status, 200);
  EXPECT_EQ(from("Host: localhost\r\nOrigin: https://evil.example\r\n").status, 403);
  EXPECT_EQ(from("Host: localhost\r\nOrigin: null\r\n").status, 403);
  EXPECT_EQ(from("Host: localhost\r\nOrigin: http://localhost:1\r\n").status, 403);
  const Answer good = from("Host: localhost\r\nOrigin: https://good.example\r\n");
  EXPECT_EQ(good.status, 200);
  EXPECT_NE(good.head.find("Access-Control-Allow-Origin: https://good.example"), std::string::npos);
  // A form of another site can send text/plain without asking first.
  EXPECT_EQ(ask("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}").status, 415);
  EXPECT_EQ(ask("OPTIONS /v1/completions HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\nConnection: close\r\n\r\n").status, 403);
  EXPECT_EQ(ask("OPTIONS /v1/completions HTTP/1.1\r\nHost: localhost\r\nOrigin: https://good.example\r\nConnection: close\r\n\r\n").status, 204);
}

TEST(Access, OffLoopbackAKeyIsNeeded) {
  ::unsetenv("PICOCHAT_API_KEY");
  for (const char* host : {"0.0.0.0", "::", "192.168.1.5", "example.org", "1270.0.0.1"}) {
    AccessOptions options;
    options.host = host;
    try {
      Access access(options);
      ADD_FAILURE() << host;
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kUsage);
    }
    options.api_key = "k";
    EXPECT_TRUE(Access(options).has_key());
  }
  EXPECT_FALSE(Access(AccessOptions{}).has_key());
}

TEST(Access, KeysComeFromAFileOrTheEnvironment) {
  test::TemporaryFolder folder;
  AccessOptions options;
  options.api_key_file = folder.write("key", "secret\n").string();
  EXPECT_TRUE(Access(options).has_key());
  options.api_key_file = folder.write("empty", "\n").string();
  EXPECT_THROW(Access{options}, base::Error);
  options.api_key_file.reset();
  options.api_key_env = "PICOCHAT_TEST_KEY_THAT_IS_NOT_SET";
  EXPECT_THROW(Access{options}, base::Error);
  ::setenv("PICOCHAT_API_KEY", "from the environment", 1);
  EXPECT_TRUE(Access(AccessOptions{}).has_key());
  ::unsetenv("PICOCHAT_API_KEY");
}

}  // namespace
}  // namespace picochat::serve
