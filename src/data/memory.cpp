#include "effnetv2/data/memory.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

namespace effnetv2 {
namespace {

constexpr std::uint64_t kNoLimit = UINT64_MAX;

/// The number alone in a file; nullopt if there is no such file or it says "max".
std::optional<std::uint64_t> read_number(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::uint64_t value = 0;
  return in >> value ? std::optional(value) : std::nullopt;
}

/// The number behind `key` in a file of lines "key number ...".
std::optional<std::uint64_t> read_field(const std::filesystem::path& file, std::string_view key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string name;
    std::uint64_t value = 0;
    if (words >> name >> value && name == key) {
      return value;
    }
  }
  return std::nullopt;
}

struct CgroupFiles {
  const char* limit;
  const char* usage;
  const char* droppable;  ///< key of memory.stat
};
constexpr CgroupFiles kVersion1{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};
constexpr CgroupFiles kVersion2{"memory.max", "memory.current", "inactive_file"};

std::uint64_t left_in(const std::filesystem::path& group, const CgroupFiles& files) {
  const auto limit = read_number(group / files.limit);
  const auto usage = read_number(group / files.usage);
  if (!limit || !usage) {
    return kNoLimit;
  }
  const std::uint64_t droppable = read_field(group / "memory.stat", files.droppable).value_or(0);
  const std::uint64_t used = *usage - std::min(*usage, droppable);
  return *limit - std::min(*limit, used);
}

/// The least of the group and all above it. Inside a container the path may be the host's; then only the mount's
/// own top exists, which is the container's group.
std::uint64_t left_up_the_tree(const std::filesystem::path& mount, const std::filesystem::path& group,
                               const CgroupFiles& files) {
  std::uint64_t left = left_in(mount, files);
  std::filesystem::path level = mount;
  for (const auto& part : group.relative_path()) {
    level /= part;
    left = std::min(left, left_in(level, files));
  }
  return left;
}

}  // namespace

std::uint64_t available_memory(const std::filesystem::path& root) {
  std::uint64_t available = kNoLimit;
  if (const auto kib = read_field(root / "proc/meminfo", "MemAvailable:")) {
    available = *kib * 1024;
  }
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // "hierarchy:controllers:/path"
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) {
      continue;
    }
    std::string controllers = line.substr(first, second - first);  // with a comma on either side of each
    controllers.front() = ',';
    controllers += ',';
    const std::filesystem::path group = line.substr(second + 1);
    const auto mounts = root / "sys/fs/cgroup";
    if (controllers == ",,") {
      available = std::min({available, left_up_the_tree(mounts, group, kVersion2),
                            left_up_the_tree(mounts / "unified", group, kVersion2)});
    } else if (controllers.find(",memory,") != std::string::npos) {
      available = std::min(available, left_up_the_tree(mounts / "memory", group, kVersion1));
    }
  }
  return available;
}

}  // namespace effnetv2
