#include "effnetv2/core/stop.h"

#include <atomic>

#include <signal.h>
#include <unistd.h>

#include "effnetv2/core/error.h"

namespace effnetv2 {
namespace {

std::atomic<int> requests{0};
static_assert(std::atomic<int>::is_always_lock_free, "used in a signal handler");

extern "C" void on_stop_signal(int) {
  if (requests.fetch_add(1) >= 1) {
    _exit(kExitInterrupted);
  }
}

}  // namespace

void install_stop_handlers() {
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool stop_requested() noexcept {
  return requests.load(std::memory_order_relaxed) > 0;
}
void request_stop() noexcept {
  requests.fetch_add(1);
}
void clear_stop_request() noexcept {
  requests.store(0);
}

}  // namespace effnetv2
