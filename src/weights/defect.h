#pragma once

#include <string>

namespace effnetv2 {

/// What is wrong with a file, without its name: readers throw it, and who knows the file makes an error of it.
struct Defect {
  std::string text;
};

}  // namespace effnetv2
