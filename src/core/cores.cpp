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

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

/// By version 2 of control groups or by version 1.
double time_share_of(const std::filesystem::path& group) {
  double quota = 0.0, period = 0.0;
  if (std::ifstream file(group / "cpu.max"); file) {
    return file >> quota >> period && period > 0.0 ? quota / period : kNoLimit;  // "max" is no number
  }
  std::ifstream(group / "cpu.cfs_quota_us") >> quota;
  std::ifstream(group / "cpu.cfs_period_us") >> period;
  return quota > 0.0 && period > 0.0 ? quota / period : kNoLimit;
}

/// Processors' worth of time: the least that this process's control group or one above it has. Infinity where nothing
/// limits it.
double time_share(const std::filesystem::path& root) {
  const auto groups = root / "sys/fs/cgroup";
  double share = std::min(time_share_of(groups), time_share_of(groups / "cpu"));
  std::ifstream own(root / "proc/self/cgroup");
  for (std::string line; std::getline(own, line);) {  // 0::/a/b, or 4:cpu,cpuacct:/a/b
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == std::string::npos) {
      continue;
    }
    const bool second_version = second == first + 1;
    auto group = groups / (second_version ? "" : "cpu");
    for (const auto& part : std::filesystem::path(line.substr(second + 1)).relative_path()) {
      group /= part;
      share = std::min(share, time_share_of(group));
    }
  }
  return share;
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
