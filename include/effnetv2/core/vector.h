#pragma once

// For kernels compiled once per instruction set: everything has internal linkage, so that no copy of it is shared
// between the sets.

namespace effnetv2::EFFNETV2_CPU_LEVEL {
namespace {

/// 32-bit numbers of a register.
#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

template <typename V>
inline V load(const void* from) {
  V value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}

template <typename V>
inline void store(void* to, const V& value) {
  __builtin_memcpy(to, &value, sizeof value);
}

}  // namespace
}  // namespace effnetv2::EFFNETV2_CPU_LEVEL
