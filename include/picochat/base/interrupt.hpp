// SIGINT, SIGTERM and SIGHUP set a flag; long work looks at it between steps, saves, and throws
// Interrupted. A second SIGINT ends the process at once. SIGUSR1 asks for a checkpoint; work goes on.
#pragma once

namespace picochat::base {

void install_signal_handlers();
int pending_signal();          // 0 when none
void throw_if_interrupted();   // for stages that have nothing to save
bool take_save_request();      // true once after a SIGUSR1
void clear_pending_signal();   // tests and the chat prompt

}  // namespace picochat::base
