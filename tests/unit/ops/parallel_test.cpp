#include <algorithm>
#include <fstream>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

namespace effnetv2 {
namespace {

/// How many threads share a loop of `tasks` tasks.
std::size_t threads_of_a_loop(std::int64_t tasks) {
  std::set<std::thread::id> threads;
  std::mutex mutex;
  at::parallel_for(0, tasks, 1, [&](std::int64_t, std::int64_t) {
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
  });
  return threads.size();
}

// In a file compiled without OpenMP at::parallel_for is a plain loop, and nothing else would tell. Compiled with
// another OpenMP than LibTorch's it does not hear at::set_num_threads.
TEST(ParallelFor, RunsOnAsManyThreadsAsLibTorchIsTold) {
  const int before = at::get_num_threads();
  for (const int threads : {2, 1, 3, 2}) {
    at::set_num_threads(threads);
    EXPECT_EQ(at::get_num_threads(), threads);
    EXPECT_EQ(threads_of_a_loop(8), static_cast<std::size_t>(threads));
  }
  at::set_num_threads(before);
}

TEST(ParallelFor, ThereIsOneOpenMPRuntime) {
  threads_of_a_loop(2);
  std::set<std::string> runtimes;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const std::string path = line.substr(std::min(line.find('/'), line.size()));
    const std::string name = path.substr(path.rfind('/') + 1);
    if (name.starts_with("libgomp") || name.starts_with("libiomp") || name.starts_with("libomp")) {
      runtimes.insert(path);
    }
  }
  EXPECT_EQ(runtimes.size(), 1u) << testing::PrintToString(runtimes);
}

}  // namespace
}  // namespace effnetv2
