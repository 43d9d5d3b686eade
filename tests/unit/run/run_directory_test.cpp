#include "effnetv2/run/run_directory.h"

#include <gtest/gtest.h>

#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"

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

TEST(RunDirectory, NextFreeNumbersNeverCollide) {
  const TempDir dir;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(dir.path());
  const auto first = RunDirectory::next_free("x");
  const auto second = RunDirectory::next_free("x");
  std::filesystem::current_path(before);
  EXPECT_EQ(first.path().filename(), "x-1");
  EXPECT_EQ(second.path().filename(), "x-2");
}

TEST(RunDirectory, ClearRemovesOnlyFilesOfOurs) {
  const TempDir dir;
  RunDirectory run(dir / "run");
  write_file(run.config(), "{}");
  write_file(run.path() / "notes.txt", "mine");
  EXPECT_FALSE(RunDirectory::holds_run(run.path()));
  write_file(run.environment(), R"({"git_revision": "x", "config_hash": "y"})");
  EXPECT_TRUE(RunDirectory::holds_run(run.path()));
  run.clear();
  EXPECT_FALSE(std::filesystem::exists(run.config()));
  EXPECT_FALSE(std::filesystem::exists(run.environment()));
  EXPECT_EQ(read_file(run.path() / "notes.txt"), "mine");
}

TEST(RunDirectory, OnlyAnEnvironmentOfARunMakesAFolderARun) {
  const TempDir dir;
  for (const char* text : {"", "{}", "[]", R"({"git_revision": "x"})", R"({"git_revision": "x", "config_hash": "y")",
                           R"(["git_revision", "config_hash"])", R"({"note": "\"git_revision\" \"config_hash\""})"}) {
    dir.write("env.json", text);
    EXPECT_FALSE(RunDirectory::holds_run(dir.path())) << text;
    if (*text != '\0') {
      EXPECT_THROW(RunDirectory::check_free(dir.path()), ConfigError) << text;
    }
  }
}

}  // namespace
}  // namespace effnetv2
