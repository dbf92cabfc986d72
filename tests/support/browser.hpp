// A headless Chromium, driven over its debugging pipe: opens pages, runs script in them, takes pictures.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "picochat/base/json.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::test {

class Browser {
 public:
  // PICOCHAT_CHROMIUM, or a Chromium on the PATH; nothing when there is none.
  static std::optional<std::string> find() {
    if (const char* given = std::getenv("PICOCHAT_CHROMIUM")) return given;
    const char* path = std::getenv("PATH");
    std::stringstream folders(path ? path : "");
    for (std::string folder; std::getline(folders, folder, ':');)
      for (const char* name : {"chromium", "chromium-browser", "google-chrome"})
        if (::access((folder + "/" + name).c_str(), X_OK) == 0) return folder + "/" + name;
    return {};
  }

  explicit Browser(const std::string& program) {
    int commands[2], answers[2];
    if (::pipe(commands) != 0 || ::pipe(answers) != 0) throw std::runtime_error("no pipe");
    child_ = ::fork();
    if (child_ == 0) {
      ::setpgid(0, 0);  // it starts processes of its own, which must end with it
      const int in = ::fcntl(commands[0], F_DUPFD, 10), out = ::fcntl(answers[1], F_DUPFD, 10);
      ::dup2(in, 3);
      ::dup2(out, 4);
      for (int descriptor = 5; descriptor < 256; ++descriptor) ::close(descriptor);
      const int nothing = ::open("/dev/null", O_RDWR);
      for (int stream : {0, 1, 2}) ::dup2(nothing, stream);
      const std::string profile = "--user-data-dir=" + profile_.path().string();
      ::execl(program.c_str(), program.c_str(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars", "--remote-debugging-pipe", profile.c_str(),
              "about:blank", nullptr);
      ::_exit(127);
    }
    ::close(commands[0]);
    ::close(answers[1]);
    to_ = commands[1];
    from_ = answers[0];
    const std::string target = call("Target.createTarget", {{"url", "about:blank"}}).at("targetId");
    session_ = call("Target.attachToTarget", {{"targetId", target}, {"flatten", true}}).at("sessionId");
    call("Page.enable");
    call("Runtime.enable");
  }
  ~Browser() {
    ::close(to_);
    ::close(from_);
    ::kill(-child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;

  void open(const std::string& url) { call("Page.navigate", {{"url", url}}); }

  // The value of an expression; a promise is waited for. Throws what the script throws.
  base::Json evaluate(const std::string& expression) {
    const auto answer = call("Runtime.evaluate", {{"expression", expression}, {"awaitPromise", true}, {"returnByValue", true}});
    if (answer.contains("exceptionDetails")) throw std::runtime_error("in the page: " + answer.at("exceptionDetails").dump());
    return answer.at("result").contains("value") ? answer.at("result").at("value") : base::Json(nullptr);
  }
  // True once the expression is; false when it is not within `seconds`.
  bool wait_for(const std::string& expression, double seconds = 60) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    for (;;) {
      if (evaluate("Boolean(" + expression + ")") == true) return true;
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  std::string text() { return evaluate("document.body.innerText"); }

  void screen(int width, int height, bool dark) {
    call("Emulation.setDeviceMetricsOverride", {{"width", width}, {"height", height}, {"deviceScaleFactor", 1}, {"mobile", width < 600}});
    call("Emulation.setEmulatedMedia", {{"features", base::Json::array({{{"name", "prefers-color-scheme"}, {"value", dark ? "dark" : "light"}}})}});
  }
  void picture(const std::filesystem::path& file) {
    std::filesystem::create_directories(file.parent_path());
    const std::string data = call("Page.captureScreenshot", {{"format", "png"}, {"captureBeyondViewport", true}}).at("data");
    std::ofstream(file, std::ios::binary) << from_base64(data);
  }
  void press(const std::string& key) {
    for (const char* type : {"rawKeyDown", "keyUp"})
      call("Input.dispatchKeyEvent", {{"type", type}, {"key", key}, {"code", key}, {"windowsVirtualKeyCode", key == "Tab" ? 9 : 13}});
    if (key == "Enter") call("Input.dispatchKeyEvent", {{"type", "char"}, {"key", key}, {"text", "\r"}});
  }
  void type(const std::string& text) { call("Input.insertText", {{"text", text}}); }

 private:
  base::Json call(const std::string& method, base::Json params = base::Json::object()) {
    base::Json message = {{"id", ++id_}, {"method", method}, {"params", std::move(params)}};
    if (!session_.empty()) message["sessionId"] = session_;
    const std::string bytes = message.dump() + '\0';
    if (::write(to_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) throw std::runtime_error("the browser has gone");
    for (;;) {
      const auto answer = base::Json::parse(next_message());
      if (answer.value("id", 0) != id_) continue;  // an event
      if (answer.contains("error")) throw std::runtime_error(method + ": " + answer.at("error").dump());
      return answer.at("result");
    }
  }
  std::string next_message() {
    for (;;) {
      if (const auto end = buffer_.find('\0'); end != std::string::npos) {
        std::string message = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return message;
      }
      pollfd entry{from_, POLLIN, 0};
      if (::poll(&entry, 1, 60'000) <= 0) throw std::runtime_error("the browser does not answer");
      char bytes[65536];
      const ssize_t n = ::read(from_, bytes, sizeof bytes);
      if (n <= 0) throw std::runtime_error("the browser has gone");
      buffer_.append(bytes, static_cast<size_t>(n));
    }
  }
  static std::string from_base64(const std::string& text) {
    std::string out;
    uint32_t bits = 0;
    int count = 0;
    for (const char c : text) {
      const auto at = std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/").find(c);
      if (at == std::string_view::npos) break;
      bits = bits << 6 | static_cast<uint32_t>(at);
      if ((count += 6) >= 8) out += static_cast<char>(bits >> (count -= 8) & 255);
    }
    return out;
  }

  TemporaryFolder profile_;
  pid_t child_ = -1;
  int to_ = -1, from_ = -1, id_ = 0;
  std::string session_, buffer_;
};

}  // namespace picochat::test
