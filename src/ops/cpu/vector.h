#pragma once

// For kernels compiled once per instruction set: everything has internal linkage, so that no copy of it is shared
// between the sets.

namespace effnetv2::EFFNETV2_CPU_LEVEL {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

/// A register of floats; its operators are element by element.
using Vector [[gnu::vector_size(kLanes * sizeof(float))]] = float;

/// V is Vector, or float for what a row has left over.
template <typename V>
constexpr int lanes = sizeof(V) / sizeof(float);

template <typename V>
inline V load(const float* from) {
  V value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}

template <typename V>
inline void store(float* to, V value) {
  __builtin_memcpy(to, &value, sizeof value);
}

}  // namespace
}  // namespace effnetv2::EFFNETV2_CPU_LEVEL
