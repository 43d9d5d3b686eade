#pragma once

#include <cstdint>

#include "vector.h"

#if defined(__AVX512F__)
// gcc 12 warns of registers that its own header leaves undefined on purpose
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif

// Registers of floats from and to memory in float32 or bfloat16, and functions on them; like vector.h with internal
// linkage per instruction set.

namespace effnetv2::EFFNETV2_CPU_LEVEL {
namespace {

/// bfloat16 as it lies in memory: the upper half of a float.
struct BFloat16 {
  std::uint16_t bits;
};

using IntVector [[gnu::vector_size(kLanes * sizeof(std::uint32_t))]] = std::uint32_t;
using HalfVector [[gnu::vector_size(kLanes * sizeof(std::uint16_t))]] = std::uint16_t;

template <typename To, typename From>
inline To same_bits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  __builtin_memcpy(&to, &from, sizeof to);
  return to;
}

template <typename V>
struct Bits {
  using Type = IntVector;
};
template <>
struct Bits<float> {
  using Type = std::uint32_t;
};

template <typename V>
inline V load_value(const float* from) {
  return load<V>(from);
}

template <typename V>
inline V load_value(const BFloat16* from) {
  if constexpr (lanes<V> == 1) {
    return same_bits<float>(static_cast<std::uint32_t>(from->bits) << 16);
  } else {
    HalfVector half;
    __builtin_memcpy(&half, from, sizeof half);
    return same_bits<Vector>(__builtin_convertvector(half, IntVector) << 16);
  }
}

/// The first `count` floats, which may be none or more than a register holds, and zeros.
inline Vector load_some(const float* from, std::int64_t count) {
  if (count >= kLanes) {
    return load<Vector>(from);
  }
#if defined(__AVX512F__)
  return same_bits<Vector>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << (count > 0 ? count : 0)) - 1u), from));
#else
  Vector value{};
  for (std::int64_t i = 0; i < count; ++i) {
    value[i] = from[i];
  }
  return value;
#endif
}

template <typename V>
inline void store_value(float* to, V value) {
  store(to, value);
}

/// Rounded to the nearest, ties to even; a NaN stays one.
template <typename V>
inline void store_value(BFloat16* to, V value) {
#if defined(__AVX512BF16__)
  if constexpr (lanes < V >> 1) {
    const __m256bh packed = _mm512_cvtneps_pbh(same_bits<__m512>(value));
    __builtin_memcpy(to, &packed, sizeof packed);
    return;
  }
#endif
  using Int = typename Bits<V>::Type;
  const auto bits = same_bits<Int>(value);
  const Int rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const Int half = value == value ? rounded : rounded * 0u + 0x7fc0u;
  if constexpr (lanes<V> == 1) {
    to->bits = static_cast<std::uint16_t>(half);
  } else {
    const HalfVector packed = __builtin_convertvector(half, HalfVector);
    __builtin_memcpy(to, &packed, sizeof packed);
  }
}

/// e^x to about 1e-7 of its value; x is held to [-87, 88], where float32 has normal numbers.
template <typename V>
inline V exponential(V x) {
  using Int = typename Bits<V>::Type;
  const V low = V{} - 87.0f;
  const V high = V{} + 88.0f;
  x = x < low ? low : x;  // NaN stays
  x = x > high ? high : x;
  // adding 1.5 * 2^23 rounds to a whole number, which then stands in the low bits
  const V shifted = x * 1.44269504f + 12582912.0f;
  const V whole = shifted - 12582912.0f;
  const V r = x - whole * 0.693359375f + whole * 2.12194440e-4f;
  V p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  return p * same_bits<V>((same_bits<Int>(shifted) << 23) + 0x3f800000u);
}

/// To about 2e-7 of its value, or, with `exact` false, to 1e-4: for what is stored with the 8 bits of bfloat16.
template <bool exact, typename V>
inline V sigmoid(V x) {
#if defined(__AVX512F__)
  if constexpr (lanes < V >> 1) {
    // e^-x as 2^n * 2^f; 2^126 is large enough, and has a reciprocal that is not 0
    const auto limit = _mm512_set1_ps(126.0f);
    const auto t = _mm512_min_ps(limit, same_bits<__m512>(x * -1.44269504f));
    const auto n = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const auto f = same_bits<V>(_mm512_sub_ps(t, n));
    V p;
    if constexpr (exact) {
      p = f * 1.5403530e-4f + 1.3333558e-3f;
      p = p * f + 9.6181291e-3f;
      p = p * f + 5.5504109e-2f;
      p = p * f + 2.4022651e-1f;
      p = p * f + 6.9314718e-1f;
    } else {
      p = f * 5.5504109e-2f + 2.4022651e-1f;
      p = p * f + 6.9314718e-1f;
    }
    p = p * f + 1.0f;
    const V d = 1.0f + same_bits<V>(_mm512_scalef_ps(same_bits<__m512>(p), n));
    const auto r = same_bits<V>(_mm512_rcp14_ps(same_bits<__m512>(d)));
    if constexpr (exact) {
      return r * (2.0f - d * r);
    }
    return r;
  }
#endif
  return 1.0f / (1.0f + exponential(-x));
}

}  // namespace
}  // namespace effnetv2::EFFNETV2_CPU_LEVEL
