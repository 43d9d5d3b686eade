#pragma once

#include <string>
#include <vector>

namespace effnetv2 {

/// The instruction sets that CPU kernels are compiled for, each a superset of the one before; and below them
/// `reference`, which has none: every operation on tensors takes its plain twin in ATen, and pictures the baseline.
enum class CpuLevel { reference, baseline, avx2, avx512, avx512_bf16 };

/// "reference", "baseline", "avx2", "avx512" or "avx512_bf16".
std::string to_string(CpuLevel level);

/// The widest level that this processor, its operating system and this build support.
CpuLevel detected_cpu_level();

/// The level that kernels run at: the detected one, or a lower one that the environment variable EFFNETV2_CPU names
/// (read once). A higher one than detected is ignored. Throws ConfigError if it names no level.
CpuLevel cpu_level();

/// Lowers cpu_level() while it lives, for tests; no kernel may run meanwhile on another level.
class CpuLevelGuard {
 public:
  explicit CpuLevelGuard(CpuLevel level);
  ~CpuLevelGuard();
  CpuLevelGuard(const CpuLevelGuard&) = delete;
  CpuLevelGuard& operator=(const CpuLevelGuard&) = delete;

 private:
  CpuLevel before_;
};

/// Whether cpu_level() has kernels: all but `reference`.
bool has_cpu_kernels();

/// cpu_level() for a given value of the variable; null: not set.
CpuLevel cpu_level_from(const char* requested);

/// Every level with kernels up to the detected one, for tests.
std::vector<CpuLevel> supported_cpu_levels();

}  // namespace effnetv2
