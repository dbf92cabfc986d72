#include <charconv>

#include "picochat/base/text.hpp"
#include "serve/http/server.hpp"
#include "serve/http/socket.hpp"

namespace picochat::serve::http {

std::string Exchange::head(int status, const std::string& content_type) const {
  std::string text = base::cat("HTTP/1.1 ", status, " ", reason_phrase(status), "\r\n");
  if (!content_type.empty()) text += base::cat("Content-Type: ", content_type, "\r\n");
  for (const auto& [name, value] : headers) text += base::cat(name, ": ", value, "\r\n");
  text += base::cat("Connection: ", keep_alive_ ? "keep-alive" : "close", "\r\n");
  return text;
}

void Exchange::respond(int status, const std::string& content_type, std::string_view body) {
  status_ = status;
  keep_alive_ = request.keep_alive;
  std::string text = head(status, content_type);
  if (status != 204) text += base::cat("Content-Length: ", body.size(), "\r\n");
  text += "\r\n";
  if (request.method != "HEAD") text += body;
  keep_alive_ = socket_.write(text) && keep_alive_;
}

void Exchange::begin(int status, const std::string& content_type) {
  status_ = status;
  streaming_ = true;
  keep_alive_ = request.keep_alive;
  keep_alive_ = socket_.write(head(status, content_type) + "Transfer-Encoding: chunked\r\n\r\n") && keep_alive_;
}

bool Exchange::send(std::string_view piece) {
  if (piece.empty()) return !client_gone();
  char size[16];
  const auto end = std::to_chars(size, size + sizeof size, piece.size(), 16).ptr;
  const bool sent = socket_.write(base::cat(std::string_view(size, end), "\r\n", piece, "\r\n"));
  keep_alive_ = keep_alive_ && sent;
  return sent;
}

void Exchange::end() {
  if (std::exchange(streaming_, false)) keep_alive_ = socket_.write("0\r\n\r\n") && keep_alive_;
}

bool Exchange::client_gone() const { return socket_.gone(); }

}  // namespace picochat::serve::http
