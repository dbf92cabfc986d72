#include "picochat/base/interrupt.hpp"

#include <signal.h>
#include <unistd.h>

#include "picochat/base/error.hpp"

namespace picochat::base {
namespace {

volatile sig_atomic_t pending = 0;

void on_signal(int number) {
  if (number == SIGINT && pending == SIGINT) ::_exit(128 + SIGINT);
  pending = number;
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  for (int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(number, &action, nullptr);
}

int pending_signal() { return pending; }
void throw_if_interrupted() {
  if (pending) throw Interrupted(pending);
}
void clear_pending_signal() { pending = 0; }

}  // namespace picochat::base
