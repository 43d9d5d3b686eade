#pragma once

#include <cstdint>
#include <string>

namespace effnetv2 {

/// True if stderr is a terminal that understands carriage returns (isatty and TERM is not "dumb").
bool stderr_is_terminal();
/// Columns of that terminal, 80 if unknown.
int terminal_width();

/// What a progress bar shows.
struct ProgressState {
  std::string label;  ///< "epoch 3/350"
  std::string unit;   ///< of what is counted: "img", "files"
  std::int64_t done = 0;
  std::int64_t total = 0;   ///< 0: unknown, then neither bar, percentage nor time left are shown
  double per_second = 0.0;  ///< <= 0: unknown
  std::string text;         ///< anything else: "loss 2.301"
};

/// One line of at most `width` columns: label, bar, percentage, count, rate, time left, text. In a narrow place the
/// bar shrinks first, then whole parts go: rate, count, text, time left, percentage; the label is the last to be cut.
/// UTF-8 safe.
std::string render_progress(const ProgressState& state, int width);

}  // namespace effnetv2
