#pragma once

#include <cstdint>

#include "values.h"

// Register tiles of matrix products, and the two arithmetics they are made in; like vector.h with internal linkage per
// instruction set.

namespace effnetv2::EFFNETV2_CPU_LEVEL {
namespace {

using std::int64_t;

constexpr int kVectors = 2;
constexpr int kColumns = kVectors * kLanes;
/// Accumulators take most of the registers: 12 of 16, or 24 of 32.
constexpr int kRows = kLanes == 16 ? 12 : 6;

struct Floats {
  using Unit = float;
  using Register = Vector;
  using Result = float;
  static constexpr int kWidth = 1;  ///< values of a unit

  static Vector add(Vector sum, Unit value, Register values) { return sum + value * values; }
};

#if defined(__AVX512BF16__)
struct Pairs {
  using Unit = std::uint32_t;
  using Register = IntVector;
  using Result = BFloat16;
  static constexpr int kWidth = 2;

  static Vector add(Vector sum, Unit value, Register values) {
    return same_bits<Vector>(_mm512_dpbf16_ps(same_bits<__m512>(sum), same_bits<__m512bh>(IntVector{} + value),
                                              same_bits<__m512bh>(values)));
  }
  static Unit pair(BFloat16 low, BFloat16 high) { return low.bits | static_cast<Unit>(high.bits) << 16; }
  static Unit pair(float low, float high) {
    BFloat16 halves[2];
    store_value(&halves[0], low);
    store_value(&halves[1], high);
    return pair(halves[0], halves[1]);
  }
};
#endif

inline int64_t min(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/// The tile's rows of one panel to `result`, of which `columns` exist.
template <int rows, int vectors, typename T>
inline void store_tile(const Vector (&sum)[rows][vectors], T* result, int64_t stride, int64_t columns) {
  if (columns >= vectors * kLanes) {
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) {
        store_value(result + r * stride + v * kLanes, sum[r][v]);
      }
    }
    return;
  }
  float whole[rows][vectors * kLanes];
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) {
      store(whole[r] + v * kLanes, sum[r][v]);
    }
  }
  for (int r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < columns; ++j) {
      store_value(result + r * stride + j, whole[r][j]);
    }
  }
}

}  // namespace
}  // namespace effnetv2::EFFNETV2_CPU_LEVEL
