#include "picochat/base/error.hpp"

#include "picochat/base/text.hpp"

namespace picochat::base {
namespace {

std::string message_of(const Error::Details& d) {
  std::string text = d.what;
  if (!d.where.empty()) text += cat("\n  where:    ", d.where);
  if (!d.expected.empty()) text += cat("\n  expected: ", d.expected);
  if (!d.found.empty()) text += cat("\n  found:    ", d.found);
  if (!d.remedy.empty()) text += cat("\n  to do:    ", d.remedy);
  return text;
}

}  // namespace

Error::Error(ExitCode code, Details details)
    : std::runtime_error(message_of(details)), code_(code), details_(std::move(details)) {}

Error bad_input(Error::Details details) { return {ExitCode::kBadInput, std::move(details)}; }
Error usage_error(Error::Details details) { return {ExitCode::kUsage, std::move(details)}; }
Error environment_error(Error::Details details) { return {ExitCode::kEnvironment, std::move(details)}; }
Error blocked(Error::Details details) { return {ExitCode::kBlocked, std::move(details)}; }
Error internal_error(std::string what) {
  return {ExitCode::kInternal, {.what = std::move(what), .remedy = "this is a defect of picochat; please report it with this message"}};
}

Interrupted::Interrupted(int signal_number)
    : std::runtime_error(cat("interrupted by signal ", signal_number)), signal_(signal_number) {}

void require(bool condition, const char* what) {
  if (!condition) throw internal_error(cat("broken invariant: ", what));
}

}  // namespace picochat::base
