#pragma once

#include <string>
#include <string_view>

#include "effnetv2/core/text.h"

namespace effnetv2 {

/// What is wrong with a file, without its name: readers throw it, and who knows the file makes an error of it.
struct Defect {
  std::string text;
};

/// A name out of a file, for a message of one line.
inline std::string in_quotes(std::string_view name) {
  constexpr std::size_t kShown = 100;
  return "\"" + printable(name.substr(0, kShown)) + (name.size() > kShown ? "...\"" : "\"");
}

}  // namespace effnetv2
