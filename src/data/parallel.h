#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <limits>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "effnetv2/core/error.h"
#include "effnetv2/core/progress.h"
#include "effnetv2/core/stop.h"

namespace effnetv2 {

/// Whether work in hand is left for a stop that is asked for.
enum class OnStop { leave, finish };

/// Runs body(0) ... body(count - 1) on `workers` threads, claimed in order; false if a stop was asked for meanwhile.
/// Of several exceptions the one of the lowest index is thrown, which no scheduling changes: all below it had begun.
template <typename Body>
bool for_each_index(std::int64_t count, int workers, const ProgressFn& progress, const Body& body,
                    OnStop on_stop = OnStop::leave) {
  std::atomic<std::int64_t> next{0}, done{0};
  std::atomic<bool> give_up{false};
  std::mutex mutex;
  std::condition_variable finished;
  int running = std::max(workers, 1);
  std::exception_ptr error;
  std::int64_t error_index = std::numeric_limits<std::int64_t>::max();

  const auto work = [&] {
    while (!give_up && !(on_stop == OnStop::leave && stop_requested())) {
      const std::int64_t index = next++;
      if (index >= count) {
        break;
      }
      try {
        body(index);
        ++done;
      } catch (...) {
        give_up = true;
        const std::lock_guard lock(mutex);
        if (index < error_index) {
          error_index = index;
          error = std::current_exception();
        }
      }
    }
    const std::lock_guard lock(mutex);
    --running;
    finished.notify_one();
  };

  std::vector<std::jthread> threads;
  try {
    for (int i = running; i > 0; --i) {
      threads.emplace_back(work);
    }
    std::unique_lock lock(mutex);
    while (!finished.wait_for(lock, std::chrono::milliseconds(50), [&] { return running == 0; })) {
      if (progress) {
        lock.unlock();
        progress(done, count);
        lock.lock();
      }
    }
  } catch (const std::system_error& e) {
    give_up = true;
    throw EnvironmentError("cannot start " + std::to_string(workers) + " threads: " + e.what() +
                           "; lower data.workers");
  } catch (...) {
    give_up = true;
    throw;
  }
  if (error) {
    std::rethrow_exception(error);
  }
  if (progress) {
    progress(done, count);
  }
  return done == count;
}

}  // namespace effnetv2
