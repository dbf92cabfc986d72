#include "picochat/base/interrupt.hpp"

#include <signal.h>
#include <unistd.h>

#include "picochat/base/error.hpp"

namespace picochat::base {
namespace {

volatile sig_atomic_t pending = 0, save_requested = 0;

void on_signal(int number) {
  if (number == SIGINT && pending == SIGINT) ::_exit(128 + SIGINT);
  pending = number;
}

void on_save_request(int) { save_requested = 1; }

}  // namespace

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  for (int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(number, &action, nullptr);
  action.sa_handler = on_save_request;
  ::sigaction(SIGUSR1, &action, nullptr);
}

int pending_signal() { return pending; }
void throw_if_interrupted() {
  if (pending) throw Interrupted(pending);
}
bool take_save_request() {
  const bool requested = save_requested;
  save_requested = 0;
  return requested;
}
void clear_pending_signal() {
  pending = 0;
  save_requested = 0;
}

}  // namespace picochat::base
