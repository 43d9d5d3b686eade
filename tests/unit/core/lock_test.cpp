#include "effnetv2/core/lock.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "effnetv2/core/error.h"

#include "support/temp_dir.h"

namespace effnetv2 {
namespace {

using test::TempDir;
using ::testing::HasSubstr;

std::string refusal(const std::filesystem::path& file) {
  try {
    const FileLock lock(file);
  } catch (const EnvironmentError& e) {
    return e.what();
  }
  return "granted";
}

TEST(FileLock, HasOneHolderAtATime) {
  const TempDir dir;
  const auto file = dir / "lock";
  std::optional<FileLock> lock(std::in_place, file);
  const std::string message = refusal(file);
  EXPECT_THAT(message, HasSubstr(dir.path().string()));
  EXPECT_THAT(message, HasSubstr("in use by another process (process " + std::to_string(::getpid()) + ")"));
  EXPECT_THAT(message, HasSubstr("--run-dir"));
  EXPECT_EQ(refusal(dir / "other"), "granted");
  lock.reset();
  EXPECT_EQ(refusal(file), "granted");
  EXPECT_EQ(refusal(file), "granted");
}

TEST(FileLockThreads, HasOneHolderThoughEachRemovesItsFile) {
  const TempDir dir;
  const auto file = dir / "lock";
  std::atomic<int> holders{0}, most{0}, granted{0};
  const auto work = [&] {
    while (granted < 5000) {
      try {
        const FileLock lock(file);
        const int now = ++holders;
        most = std::max(most.load(), now);
        ++granted;
        std::this_thread::yield();
        --holders;
        std::filesystem::remove(file);
      } catch (const LockHeld&) {
        std::this_thread::yield();
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back(work);
    }
  }
  EXPECT_EQ(most, 1);
}

TEST(FileLock, IsReleasedWhenItsProcessIsKilled) {
  const TempDir dir;
  const auto file = dir / "lock";
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const FileLock lock(file);
    if (::write(ready[1], "x", 1) == 1) {
      for (;;) {
        ::pause();
      }
    }
    ::_exit(1);
  }
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_THAT(refusal(file), HasSubstr("process " + std::to_string(child)));
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  ::close(ready[0]);
  ::close(ready[1]);
  EXPECT_EQ(refusal(file), "granted");
}

TEST(FileLock, NamesAFileItCannotOpen) {
  const TempDir dir;
  EXPECT_THAT(refusal(dir / "missing/lock"), HasSubstr("missing/lock: cannot open"));
}

}  // namespace
}  // namespace effnetv2
