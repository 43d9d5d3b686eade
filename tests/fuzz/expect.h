#pragma once

#include <string_view>

namespace effnetv2::fuzz {

/// What does not hold ends the program, under a fuzzer and in the tests that replay its finds.
inline void expect(bool holds) {
  if (!holds) {
    __builtin_trap();
  }
}

/// Either `read` works or it throws `Refusal`, of one line.
template <typename Refusal, typename Read>
void expect_read_or_refused(const Read& read) {
  try {
    read();
  } catch (const Refusal& e) {
    const std::string_view message = e.what();
    expect(!message.empty() && message.find('\n') == std::string_view::npos);
  }
}

}  // namespace effnetv2::fuzz
