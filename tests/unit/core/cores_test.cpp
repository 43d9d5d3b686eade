#include "effnetv2/core/cores.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace effnetv2 {
namespace {

/// A machine's files under a folder of their own.
class Cores : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    const auto file = dir_.path() / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text << '\n';
  }
  void write_siblings(int processor, const std::string& siblings) {
    write("sys/devices/system/cpu/cpu" + std::to_string(processor) + "/topology/thread_siblings_list", siblings);
  }
  int count(const std::set<int>& allowed) { return usable_cores(allowed, dir_.path()); }

  test::TempDir dir_;
};

TEST_F(Cores, WithoutTopologyEveryProcessorIsOne) {
  EXPECT_EQ(count({0, 1, 5}), 3);
  EXPECT_EQ(count({}), 1);
}

TEST_F(Cores, TwoThreadsOfACoreCountOnce) {
  for (const int processor : {0, 4}) {
    write_siblings(processor, "0,4");
  }
  write_siblings(1, "1,5");
  EXPECT_EQ(count({0, 1, 4}), 2);
  EXPECT_EQ(count({4}), 1);
}

TEST_F(Cores, AShareOfTimeLimitsThemRoundedUp) {
  write("sys/fs/cgroup/cpu.max", "250000 100000");
  EXPECT_EQ(count({0, 1, 2, 3, 4, 5}), 3);
  EXPECT_EQ(count({0, 1}), 2);
  write("sys/fs/cgroup/cpu.max", "10000 100000");
  EXPECT_EQ(count({0, 1}), 1);
  write("sys/fs/cgroup/cpu.max", "max 100000");
  EXPECT_EQ(count({0, 1, 2, 3}), 4);
  write("sys/fs/cgroup/cpu.max", "nonsense");
  EXPECT_EQ(count({0, 1, 2, 3}), 4);
}

TEST_F(Cores, TheOlderControlGroupsLimitThemToo) {
  write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1");
  write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
  EXPECT_EQ(count({0, 1, 2}), 3);
  write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000");
  EXPECT_EQ(count({0, 1, 2}), 1);
}

TEST_F(Cores, TheNarrowestGroupAboveTheProcessCounts) {
  write("proc/self/cgroup", "0::/system.slice/job.scope");
  write("sys/fs/cgroup/system.slice/cpu.max", "300000 100000");
  EXPECT_EQ(count({0, 1, 2, 3, 4}), 3);
  write("sys/fs/cgroup/system.slice/job.scope/cpu.max", "150000 100000");
  EXPECT_EQ(count({0, 1, 2, 3, 4}), 2);
}

TEST_F(Cores, OfThisMachineAreAtLeastOne) {
  EXPECT_GE(usable_cores(), 1);
}

}  // namespace
}  // namespace effnetv2
