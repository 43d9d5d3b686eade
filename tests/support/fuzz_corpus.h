#pragma once

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "effnetv2/core/file.h"

namespace effnetv2::test {

/// Gives `target` every file that the fuzzers found to reach a place of its own, by any compiler and without them.
template <typename Target>
void replay_corpus(const std::string& name, const Target& target) {
  int files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(EFFNETV2_SOURCE_DIR) + "/tests/fuzz/corpus/" + name)) {
    target(read_file(entry.path()));
    ++files;
  }
  EXPECT_GT(files, 20);
}

}  // namespace effnetv2::test
