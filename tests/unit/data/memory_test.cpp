#include "effnetv2/data/memory.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace effnetv2 {
namespace {

using test::TempDir;

TEST(AvailableMemory, IsSomethingHere) {
  EXPECT_GT(available_memory(), 1U << 20);
  EXPECT_LT(available_memory(), UINT64_MAX);
}

TEST(AvailableMemory, NoLimitWhereNothingSays) {
  const TempDir root;
  EXPECT_EQ(available_memory(root.path()), UINT64_MAX);
}

class FakeMachine : public ::testing::Test {
 protected:
  void SetUp() override {
    root.write("proc/meminfo", "MemTotal:       4000 kB\nMemFree:    10 kB\nMemAvailable:   2000 kB\nBuffers: 1 kB\n");
  }
  TempDir root;
};
using AvailableMemoryOf = FakeMachine;

TEST_F(AvailableMemoryOf, APlainMachine) {
  EXPECT_EQ(available_memory(root.path()), 2000U * 1024);
}

TEST_F(AvailableMemoryOf, ACgroupVersion2AtAnyLevel) {
  root.write("proc/self/cgroup", "0::/user.slice/job\n");
  root.write("sys/fs/cgroup/user.slice/job/memory.max", "max\n");
  root.write("sys/fs/cgroup/user.slice/job/memory.current", "5000\n");
  EXPECT_EQ(available_memory(root.path()), 2000U * 1024);
  root.write("sys/fs/cgroup/user.slice/memory.max", "1000000\n");
  root.write("sys/fs/cgroup/user.slice/memory.current", "400000\n");
  EXPECT_EQ(available_memory(root.path()), 600000U);
  root.write("sys/fs/cgroup/user.slice/memory.stat", "anon 5\ninactive_file 100000\nactive_file 7\n");
  EXPECT_EQ(available_memory(root.path()), 700000U);
  root.write("sys/fs/cgroup/user.slice/job/memory.max", "6000\n");
  EXPECT_EQ(available_memory(root.path()), 1000U);
  root.write("sys/fs/cgroup/user.slice/job/memory.current", "7000\n");
  EXPECT_EQ(available_memory(root.path()), 0U);
}

TEST_F(AvailableMemoryOf, AContainerThatSeesItsGroupAtTheTop) {
  root.write("proc/self/cgroup", "0::/../host/path\n");
  root.write("sys/fs/cgroup/memory.max", "500000\n");
  root.write("sys/fs/cgroup/memory.current", "100000\n");
  EXPECT_EQ(available_memory(root.path()), 400000U);
}

TEST_F(AvailableMemoryOf, ACgroupVersion1) {
  root.write("proc/self/cgroup", "5:cpu,cpuacct:/job\n4:memory:/job\n0::/\n");
  root.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  root.write("sys/fs/cgroup/memory/memory.usage_in_bytes", "900000\n");
  EXPECT_EQ(available_memory(root.path()), 2000U * 1024);
  root.write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "800000\n");
  root.write("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "300000\n");
  root.write("sys/fs/cgroup/memory/job/memory.stat", "cache 9\ntotal_inactive_file 50000\n");
  EXPECT_EQ(available_memory(root.path()), 550000U);
}

}  // namespace
}  // namespace effnetv2
