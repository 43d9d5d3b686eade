#include "effnetv2/core/terminal.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include <sys/ioctl.h>
#include <unistd.h>

#include "effnetv2/core/text.h"

namespace effnetv2 {
namespace {

constexpr int kWidestBar = 30;
constexpr int kNarrowestBar = 8;

/// The greatest rank goes first where there is no room.
struct Part {
  std::string text;
  int rank;
};

bool starts_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u;
}

int columns(std::string_view text) {
  return static_cast<int>(std::ranges::count_if(text, starts_character));
}

std::string cut(const std::string& text, int width) {
  int seen = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (starts_character(text[i]) && seen++ == width) {
      return text.substr(0, i);
    }
  }
  return text;
}

std::string rate_text(double per_second, const std::string& unit) {
  char number[32];
  std::snprintf(number, sizeof number, per_second < 10.0 ? "%.1f" : "%.0f", per_second);
  return std::string(number) + " " + unit + "/s";
}

std::string bar_text(double share, int width) {
  const int inner = width - 2;
  const int full = static_cast<int>(std::floor(share * inner));
  std::string bar(static_cast<std::size_t>(inner), '.');
  std::fill_n(bar.begin(), full, '=');
  if (full > 0 && full < inner) {
    bar[static_cast<std::size_t>(full) - 1] = '>';
  }
  return "[" + bar + "]";
}

}  // namespace

bool stderr_is_terminal() {
  const char* term = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) != 0 && term != nullptr && std::string_view(term) != "dumb";
}

int terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string render_progress(const ProgressState& state, int width) {
  const bool known = state.total > 0;
  const std::int64_t done = known ? std::clamp<std::int64_t>(state.done, 0, state.total) : state.done;
  const double share = known ? static_cast<double>(done) / static_cast<double>(state.total) : 0.0;

  std::vector<Part> parts;
  if (known) {
    const std::string percent = std::to_string(static_cast<int>(std::floor(share * 100.0)));
    parts.push_back({std::string(3 - std::min<std::size_t>(3, percent.size()), ' ') + percent + " %", 0});
    parts.push_back({std::to_string(done) + "/" + std::to_string(state.total) + " " + state.unit, 3});
  } else {
    parts.push_back({std::to_string(done) + " " + state.unit, 0});
  }
  if (state.per_second > 0.0) {
    parts.push_back({rate_text(state.per_second, state.unit), 4});
    if (known) {
      parts.push_back({human_duration(static_cast<double>(state.total - done) / state.per_second) + " left", 1});
    }
  }
  if (!state.text.empty()) {
    parts.push_back({state.text, 2});
  }

  const auto taken = [&] {
    int sum = columns(state.label);
    for (const auto& part : parts) {
      sum += 2 + columns(part.text);
    }
    return sum;
  };
  while (!parts.empty() && taken() > width) {
    parts.erase(std::ranges::max_element(parts, {}, &Part::rank));
  }
  std::string line = cut(state.label, width);
  const int bar = std::min(kWidestBar, width - taken() - 2);
  if (known && bar >= kNarrowestBar) {
    line += "  " + bar_text(share, bar);
  }
  for (const auto& part : parts) {
    line += "  " + part.text;
  }
  return line;
}

}  // namespace effnetv2
