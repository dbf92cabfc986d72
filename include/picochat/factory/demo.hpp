// `demo` and `paths`: what a newcomer types first.
#pragma once

#include <string>

#include "picochat/base/command_output.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/options.hpp"

namespace picochat::factory {

struct DemoOptions {
  std::string out_dir = "runs/pico-demo";
  std::string device = "auto";
  int64_t threads = 0;
  int64_t port = 8765;       // of the page
  bool train_only = false;   // neither page nor chat
  std::optional<int64_t> base_steps, sft_steps;  // hidden: a shorter run
};
const base::OptionTable<DemoOptions>& demo_options();

// Makes a pack beside --out-dir (the program's own documents, drills, release_skills rows), runs the tiny lane on it unless it has
// ended before, then, at a terminal, opens the page and a chat with the model; the page ends with the chat. Without a terminal it says how to
// open both. Returns the run's exit code, or the chat's. `command` is recorded in the run.
base::ExitCode run_demo(base::FileSystem& files, const DemoOptions& options, const std::string& command);

struct PathsOptions {
  bool json = false;
};
const base::OptionTable<PathsOptions>& paths_options();
// The three ways to use the program, each as commands that run as they stand.
base::CommandOutput paths_command(const PathsOptions& options);

}  // namespace picochat::factory
