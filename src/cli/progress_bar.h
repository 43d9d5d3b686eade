#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

#include "effnetv2/core/log.h"
#include "effnetv2/core/terminal.h"

namespace effnetv2::cli {

/// One line on stderr, redrawn at most ten times a second and out of the way of the log's lines. On anything but a
/// terminal it does nothing, so that logs in files stay plain. One at a time for a log.
class ProgressBar {
 public:
  /// unit: of what is counted, "img". enabled: false for --quiet.
  ProgressBar(Log& log, std::string label, std::string unit, bool enabled = true);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// False where nothing is ever drawn.
  bool active() const noexcept { return active_; }
  /// `done` of `total` (0: unknown). The rate counts from the first update on, so that work done by an earlier
  /// process is not taken for speed.
  void update(std::int64_t done, std::int64_t total, const std::string& text = "");
  /// Another piece of work on the same line: a new label and unit; rate and time left start anew.
  void restart(std::string label, std::string unit);
  /// Takes the line away. update() brings it back.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  void draw();
  void erase();

  Log& log_;
  const bool active_;
  std::mutex mutex_;  // log lines may come from other threads
  ProgressState state_;
  Clock::time_point start_, last_draw_;
  std::int64_t first_done_ = -1;
  bool shown_ = false;
};

}  // namespace effnetv2::cli
