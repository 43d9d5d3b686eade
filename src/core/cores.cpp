#include "effnetv2/core/cores.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <string>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif

namespace effnetv2 {
namespace {

std::string first_line(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// Processors' worth of time, by version 2 of control groups or by version 1; infinity where nothing limits it.
double time_share(const std::filesystem::path& root) {
  constexpr double kNoLimit = std::numeric_limits<double>::infinity();
  double quota = 0.0, period = 0.0;
  const auto groups = root / "sys/fs/cgroup";
  if (std::ifstream file(groups / "cpu.max"); file) {
    return file >> quota >> period && period > 0.0 ? quota / period : kNoLimit;  // "max" is no number
  }
  std::ifstream(groups / "cpu/cpu.cfs_quota_us") >> quota;
  std::ifstream(groups / "cpu/cpu.cfs_period_us") >> period;
  return quota > 0.0 && period > 0.0 ? quota / period : kNoLimit;
}

std::set<int> allowed_processors() {
  std::set<int> allowed;
#ifdef __linux__
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) {  // fails with more processors than the set has room for
    for (int i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(i, &set)) {
        allowed.insert(i);
      }
    }
    return allowed;
  }
#endif
  for (unsigned i = 0; i < std::max(1u, std::thread::hardware_concurrency()); ++i) {
    allowed.insert(static_cast<int>(i));
  }
  return allowed;
}

}  // namespace

int usable_cores(const std::set<int>& allowed, const std::filesystem::path& root) {
  std::set<std::string> cores;
  for (const int processor : allowed) {
    const auto topology = root / "sys/devices/system/cpu" / ("cpu" + std::to_string(processor)) / "topology";
    const std::string siblings = first_line(topology / "thread_siblings_list");
    cores.insert(siblings.empty() ? "alone " + std::to_string(processor) : siblings);
  }
  const auto count = static_cast<double>(cores.size());
  return std::max(1, static_cast<int>(std::min(count, std::ceil(time_share(root)))));
}

int usable_cores() {
  return usable_cores(allowed_processors(), "/");
}

}  // namespace effnetv2
