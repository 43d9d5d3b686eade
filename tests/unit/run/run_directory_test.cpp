#include "effnetv2/run/run_directory.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace effnetv2 {
namespace {

using test::TempDir;

TEST(RunDirectory, LeftoversOfAKilledProcessAreRemovedWhereverTheyCanBe) {
  const TempDir dir;
  for (const char* place : {"", "checkpoints/", "eval/val/", "eval/test/"}) {
    dir.write(std::string(place) + ".tmp-123-file", "half");
    dir.write(std::string(place) + "file", "whole");
  }
  RunDirectory run(dir.path());
  run.remove_leftovers();
  for (const char* place : {"", "checkpoints/", "eval/val/", "eval/test/"}) {
    EXPECT_FALSE(std::filesystem::exists(dir / (std::string(place) + ".tmp-123-file"))) << place;
    EXPECT_TRUE(std::filesystem::exists(dir / (std::string(place) + "file"))) << place;
  }
}

}  // namespace
}  // namespace effnetv2
