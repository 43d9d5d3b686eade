#include "progress_bar.h"

#include <utility>

#include <unistd.h>

namespace effnetv2::cli {
namespace {

constexpr std::chrono::milliseconds kRedraw{100};
constexpr double kSettledSeconds = 0.5;  // a rate from less is noise

void write_stderr(const std::string& text) {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

ProgressBar::ProgressBar(Log& log, std::string label, std::string unit, bool enabled)
    : log_(log), active_(enabled && stderr_is_terminal()) {
  state_.label = std::move(label);
  state_.unit = std::move(unit);
  if (active_) {
    const auto locked = [this](void (ProgressBar::*step)()) {
      const std::lock_guard lock(mutex_);
      if (shown_) {
        (this->*step)();
      }
    };
    log_.around_stderr([locked] { locked(&ProgressBar::erase); }, [locked] { locked(&ProgressBar::draw); });
  }
}

ProgressBar::~ProgressBar() {
  if (active_) {
    log_.around_stderr({}, {});
    finish();
  }
}

void ProgressBar::update(std::int64_t done, std::int64_t total, const std::string& text) {
  if (!active_) {
    return;
  }
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  if (first_done_ < 0) {
    first_done_ = done;
    start_ = now;
  }
  state_.done = done;
  state_.total = total;
  state_.text = text;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  state_.per_second = seconds < kSettledSeconds ? 0.0 : static_cast<double>(done - first_done_) / seconds;
  if (!shown_ || now - last_draw_ >= kRedraw) {
    last_draw_ = now;
    draw();
  }
}

void ProgressBar::restart(std::string label, std::string unit) {
  const std::lock_guard lock(mutex_);
  state_.label = std::move(label);
  state_.unit = std::move(unit);
  state_.text.clear();
  state_.per_second = 0.0;
  first_done_ = -1;
}

void ProgressBar::finish() {
  const std::lock_guard lock(mutex_);
  if (shown_) {
    erase();
    shown_ = false;
  }
}

void ProgressBar::draw() {
  // one column stays free: some terminals wrap when the last one is written
  write_stderr("\r" + render_progress(state_, terminal_width() - 1) + "\x1b[K");
  shown_ = true;
}

void ProgressBar::erase() {
  write_stderr("\r\x1b[K");
}

}  // namespace effnetv2::cli
