#include "effnetv2/core/stop.h"

#include <thread>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "effnetv2/core/error.h"

namespace effnetv2 {
namespace {

class Stop : public ::testing::Test {
 protected:
  void SetUp() override { clear_stop_request(); }
  void TearDown() override {
    clear_stop_request();
    ::signal(SIGINT, SIG_DFL);
    ::signal(SIGTERM, SIG_DFL);
  }
};
using StopThreads = Stop;
using StopDeathTest = Stop;

TEST_F(Stop, CanBeAskedForAndTakenBack) {
  EXPECT_FALSE(stop_requested());
  request_stop();
  EXPECT_TRUE(stop_requested());
  clear_stop_request();
  EXPECT_FALSE(stop_requested());
}

TEST_F(Stop, ASignalAsksForIt) {
  for (const int signal : {SIGINT, SIGTERM}) {
    clear_stop_request();
    install_stop_handlers();
    ASSERT_EQ(::raise(signal), 0);
    EXPECT_TRUE(stop_requested());
  }
}

TEST_F(StopThreads, IsSeenByOtherThreads) {
  install_stop_handlers();
  std::thread watcher([] {
    while (!stop_requested()) {
      std::this_thread::yield();
    }
  });
  ASSERT_EQ(::kill(::getpid(), SIGTERM), 0);
  watcher.join();
  EXPECT_TRUE(stop_requested());
}

TEST_F(StopDeathTest, ASecondSignalEndsTheProcess) {
  EXPECT_EXIT(
      {
        install_stop_handlers();
        ::raise(SIGINT);
        ::raise(SIGTERM);
      },
      ::testing::ExitedWithCode(kExitInterrupted), "");
}

}  // namespace
}  // namespace effnetv2
