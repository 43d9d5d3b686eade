#pragma once

#include <filesystem>
#include <set>

namespace effnetv2 {

/// How many threads of arithmetic this process can keep busy: the physical cores that it may run on (two threads of one
/// core share its arithmetic units), but no more than its control group's share of processor time, rounded up. At
/// least 1.
int usable_cores();

/// usable_cores() of the logical processors `allowed`, read under another root than "/"; what is not there sets no
/// limit.
int usable_cores(const std::set<int>& allowed, const std::filesystem::path& root);

}  // namespace effnetv2
