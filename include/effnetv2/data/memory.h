#pragma once

#include <cstdint>
#include <filesystem>

namespace effnetv2 {

/// Bytes of memory this process may still take before the machine or a cgroup (v1 or v2, any level) is full:
/// MemAvailable, bounded by each limit less what is in use there (page cache that can be dropped does not count as
/// used). UINT64_MAX if nothing says. `root` stands in for "/" in tests.
std::uint64_t available_memory(const std::filesystem::path& root = "/");

}  // namespace effnetv2
