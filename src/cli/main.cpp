#include "picochat/base/console.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/cli/command.hpp"
#include "picochat/model/determinism.hpp"

int main(int argc, char** argv) {
  picochat::model::set_deterministic_environment();  // before any library reads it
  picochat::base::start_console();
  picochat::base::install_signal_handlers();
  return picochat::cli::run_program(argc, argv);
}
