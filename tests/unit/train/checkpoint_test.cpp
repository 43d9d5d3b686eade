#include "effnetv2/train/checkpoint.h"

#include <filesystem>
#include <fstream>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"
#include "effnetv2/core/rng.h"

#include "support/state_file.h"
#include "support/temp_dir.h"

namespace effnetv2 {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TrainState sample_state(int step) {
  TrainState state;
  state.tensors = {{"model.a", at::full({3, 5}, step, at::kFloat)},
                   {"model.b", at::arange(7, at::kLong) + step},
                   {"optimizer.a.exp_avg", at::full({3, 5}, 0.1 * step, at::kFloat)}};
  state.values = {{"epoch", step}, {"best", 0.1 + 0.2}, {"metric_sums", {1.0 / 3.0, 1e-300, 12345678.9}}};
  return state;
}

std::optional<TrainState> read(const std::filesystem::path& folder, std::vector<std::string>* warnings = nullptr) {
  return read_state(folder, [&](const std::string& message) {
    if (warnings != nullptr) {
      warnings->push_back(message);
    }
  });
}

void flip_byte(const std::filesystem::path& path, std::int64_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(at);
  const char byte = static_cast<char>(file.get() ^ 0x20);
  file.seekp(at);
  file.put(byte);
}

TEST(Checkpoint, NothingThereIsNoState) {
  const test::TempDir dir;
  EXPECT_FALSE(read(dir.path()));
}

TEST(Checkpoint, ReadsBackExactly) {
  const test::TempDir dir;
  write_state(dir.path(), sample_state(3));
  const auto state = read(dir.path());
  ASSERT_TRUE(state);
  const auto expected = sample_state(3);
  EXPECT_EQ(state->values, expected.values);
  ASSERT_EQ(state->tensors.size(), expected.tensors.size());
  for (std::size_t i = 0; i < expected.tensors.size(); ++i) {
    EXPECT_EQ(state->tensors[i].first, expected.tensors[i].first);
    EXPECT_TRUE(at::equal(state->tensors[i].second, expected.tensors[i].second));
  }
}

TEST(Checkpoint, LeavesNoTemporaries) {
  const test::TempDir dir;
  write_state(dir.path(), sample_state(1));
  write_state(dir.path(), sample_state(2));
  // what a full disk or a kill between the renames leaves: both names on one state
  std::filesystem::remove(dir.path() / "state.previous.safetensors");
  std::filesystem::create_hard_link(dir.path() / "state.safetensors", dir.path() / "state.previous.safetensors");
  write_state(dir.path(), sample_state(3));
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
    EXPECT_FALSE(entry.path().filename().string().starts_with(kTemporaryPrefix)) << entry.path();
    ++files;
  }
  EXPECT_EQ(files, 2);
  EXPECT_EQ(read(dir.path())->values["epoch"], 3);
}

TEST(Checkpoint, AnySingleChangedByteIsNoticedAndThePreviousUsed) {
  const test::TempDir dir;
  write_state(dir.path(), sample_state(1));
  write_state(dir.path(), sample_state(2));
  const auto path = dir.path() / "state.safetensors";
  const auto previous_path = dir.path() / "state.previous.safetensors";
  const std::string whole = read_file(path), previous = read_file(previous_path);
  Rng rng = Rng::stream(1, Purpose::test);
  for (int round = 0; round < 200; ++round) {
    const auto at = static_cast<std::int64_t>(rng.below(whole.size()));
    write_file(path, whole);
    write_file(previous_path, previous);
    flip_byte(path, at);
    std::vector<std::string> warnings;
    const auto state = read(dir.path(), &warnings);
    ASSERT_TRUE(state) << at;
    if (state->values["epoch"] == 1) {
      ASSERT_EQ(warnings.size(), 1u);
      EXPECT_NE(warnings[0].find("state.safetensors"), std::string::npos);
    } else {
      // a changed byte that still gives the whole newest state may only be padding
      EXPECT_EQ(whole[static_cast<std::size_t>(at)], ' ') << at;
      EXPECT_EQ(state->values, sample_state(2).values) << at;
    }
  }
}

TEST(Checkpoint, EveryTruncationIsNoticed) {
  const test::TempDir dir;
  write_state(dir.path(), sample_state(1));
  write_state(dir.path(), sample_state(2));
  const auto path = dir.path() / "state.safetensors";
  const auto previous_path = dir.path() / "state.previous.safetensors";
  const std::string whole = read_file(path), previous = read_file(previous_path);
  for (std::size_t length = 0; length < whole.size(); length += 7) {
    write_file(previous_path, previous);
    std::ofstream(path, std::ios::binary).write(whole.data(), static_cast<std::streamsize>(length));
    EXPECT_EQ(read(dir.path())->values["epoch"], 1) << length;
  }
}

TEST(Checkpoint, ADamagedStateNeverBecomesThePreviousOne) {
  const test::TempDir dir;
  write_state(dir.path(), sample_state(1));
  write_state(dir.path(), sample_state(2));
  flip_byte(dir.path() / "state.safetensors", 500);
  EXPECT_EQ(read(dir.path())->values["epoch"], 1);
  write_state(dir.path(), sample_state(3));
  flip_byte(dir.path() / "state.safetensors", 500);
  EXPECT_EQ(read(dir.path())->values["epoch"], 1);
}

TEST(Checkpoint, AStateOfAnotherVersionIsNeitherUsedNorReplaced) {
  const test::TempDir dir;
  write_state(dir.path(), sample_state(1));
  write_state(dir.path(), sample_state(2));
  std::string other = read_file(dir.path() / "state.safetensors");
  other.replace(other.find("effnetv2.state.3"), 16, "effnetv2.state.4");
  write_file(dir.path() / "state.safetensors", other);
  EXPECT_THROW(read(dir.path()), CheckpointError);
  EXPECT_EQ(read_file(dir.path() / "state.safetensors"), other);
}

/// Files whose checksum fits, made by another hand.
TEST(Checkpoint, WhatIsNoStateIsSaidInOneLine) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  for (const auto& [bytes, message] :
       {std::pair{test::state_file("{"), "is no JSON"},
        {test::state_file(deep), "is nested deeper than 64 levels"},
        {test::state_file("{}", "odd\nformat"), "is no training state (format \"odd\\x0Aformat\""},
        {test::state_file("{}", "effnetv2.state.4"), "was written by another version"}}) {
    try {
      read_state(FileBytes("FILE", bytes));
      ADD_FAILURE() << "not refused: " << message;
    } catch (const CheckpointError& e) {
      EXPECT_THAT(e.what(), AllOf(StartsWith("FILE: "), HasSubstr(message), Not(HasSubstr("\n"))));
    }
  }
  EXPECT_EQ(read_state(FileBytes("FILE", test::state_file("{}"))).name, "FILE");
}

TEST(Checkpoint, BothDamagedIsAnErrorThatNamesBoth) {
  const test::TempDir dir;
  write_file(dir.path() / "state.safetensors", "not a state");
  write_file(dir.path() / "state.previous.safetensors", "");
  try {
    read(dir.path());
    FAIL() << "must throw";
  } catch (const CheckpointError& e) {
    EXPECT_NE(std::string(e.what()).find("state.safetensors"), std::string::npos);
    EXPECT_NE(std::string(e.what()).find("state.previous.safetensors"), std::string::npos);
  }
}

TEST(Checkpoint, AKillBetweenTheRenamesLeavesAWholeState) {
  const test::TempDir dir;
  write_state(dir.path(), sample_state(1));
  std::filesystem::rename(dir.path() / "state.safetensors", dir.path() / "state.previous.safetensors");
  EXPECT_EQ(read(dir.path())->values["epoch"], 1);
  write_state(dir.path(), sample_state(2));
  EXPECT_EQ(read(dir.path())->values["epoch"], 2);
}

}  // namespace
}  // namespace effnetv2
