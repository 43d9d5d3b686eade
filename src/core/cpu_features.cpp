#include "effnetv2/core/cpu_features.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "effnetv2/core/error.h"

namespace effnetv2 {
namespace {

constexpr std::array kLevels{CpuLevel::reference, CpuLevel::baseline, CpuLevel::avx2, CpuLevel::avx512,
                             CpuLevel::avx512_bf16};

}  // namespace

std::string to_string(CpuLevel level) {
  switch (level) {
    case CpuLevel::reference:
      return "reference";
    case CpuLevel::avx2:
      return "avx2";
    case CpuLevel::avx512:
      return "avx512";
    case CpuLevel::avx512_bf16:
      return "avx512_bf16";
    case CpuLevel::baseline:
      break;
  }
  return "baseline";
}

CpuLevel detected_cpu_level() {
#ifdef __x86_64__
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    return CpuLevel::baseline;
  }
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (!wide) {
    return CpuLevel::avx2;
  }
  return __builtin_cpu_supports("avx512bf16") ? CpuLevel::avx512_bf16 : CpuLevel::avx512;
#else
  return CpuLevel::baseline;
#endif
}

CpuLevel cpu_level_from(const char* requested) {
  const CpuLevel detected = detected_cpu_level();
  if (requested == nullptr || *requested == '\0') {
    return detected;
  }
  for (const CpuLevel level : kLevels) {
    if (to_string(level) == requested) {
      return std::min(level, detected);
    }
  }
  throw ConfigError(
      "EFFNETV2_CPU: is \"" + std::string(requested) +
      "\", but must be reference, baseline, avx2, avx512 or avx512_bf16; unset it to use what the processor "
      "has");
}

namespace {

CpuLevel& level_in_use() {
  static CpuLevel level = cpu_level_from(std::getenv("EFFNETV2_CPU"));
  return level;
}

}  // namespace

CpuLevel cpu_level() {
  return level_in_use();
}

bool has_cpu_kernels() {
  return cpu_level() != CpuLevel::reference;
}

CpuLevelGuard::CpuLevelGuard(CpuLevel level) : before_(cpu_level()) {
  level_in_use() = level;
}

CpuLevelGuard::~CpuLevelGuard() {
  level_in_use() = before_;
}

std::vector<CpuLevel> supported_cpu_levels() {
  std::vector<CpuLevel> levels;
  for (const CpuLevel level : kLevels) {
    if (level > CpuLevel::reference && level <= detected_cpu_level()) {
      levels.push_back(level);
    }
  }
  return levels;
}

}  // namespace effnetv2
