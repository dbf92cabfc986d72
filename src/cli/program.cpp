#include <new>

#include "parser.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/text.hpp"

namespace picochat::cli {
namespace {

using base::cat;

std::string quoted(const std::string& word) {
  const bool plain = !word.empty() && word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,+@") == std::string::npos;
  return plain ? word : cat("'", base::replace_all(word, "'", "'\\''"), "'");
}

std::string command_line(int argc, const char* const* argv) {
  std::string text = "picochat";
  for (int i = 1; i < argc; ++i) text += " " + quoted(argv[i]);
  return text;
}

int fail(base::ExitCode code, const std::string& message) {
  base::say(cat("error: ", message));
  return static_cast<int>(code);
}

}  // namespace

int run_program(int argc, const char* const* argv) {
  try {
    const Parsed parsed = parse(commands(), argc, argv);
    if (!parsed.command) {
      base::write_result(parsed.text);
      return 0;
    }
    return static_cast<int>(parsed.command->run({parsed.flags, command_line(argc, argv)}));
  } catch (const base::Interrupted& interrupted) {
    return 128 + interrupted.signal_number();
  } catch (const base::Error& error) {
    return fail(error.code(), error.what());
  } catch (const std::filesystem::filesystem_error& error) {
    return fail(base::ExitCode::kEnvironment, error.what());
  } catch (const std::bad_alloc&) {
    return fail(base::ExitCode::kEnvironment, "out of memory\n  to do:    use a smaller batch or model, or a machine with more memory");
  } catch (const std::exception& error) {
    const std::string text = error.what();  // LibTorch appends a stack trace; its first line says what happened
    return fail(base::ExitCode::kInternal, cat(text.substr(0, text.find('\n')), "\n  to do:    this is a defect of picochat; please report it with the command line"));
  }
}

}  // namespace picochat::cli
