#pragma once

// For kernels compiled once per instruction set: everything has internal linkage, so that no copy of it is shared
// between the sets.

namespace effnetv2::EFFNETV2_CPU_LEVEL {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

using Floats [[gnu::vector_size(kLanes * 4)]] = float;
using Ints [[gnu::vector_size(kLanes * 4)]] = int;
using Shorts [[gnu::vector_size(kLanes * 2)]] = short;
using Bytes [[gnu::vector_size(kLanes)]] = unsigned char;

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

/// In two steps, as gcc does each with an instruction and one over both with code for each number.
inline Ints widened(const unsigned char* from) {
  return __builtin_convertvector(__builtin_convertvector(load<Bytes>(from), Shorts), Ints);
}

/// Vectors have no braces to be filled from one number.
template <typename V, typename T>
inline V all(T value) {
  return value - V{};
}

}  // namespace
}  // namespace effnetv2::EFFNETV2_CPU_LEVEL
