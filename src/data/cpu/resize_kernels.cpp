#include "../resize_kernels.h"

#include "vector.h"

// Included headers must define no functions: an inline one compiled here for a wide instruction set could be the
// copy that the linker keeps for everybody.

namespace effnetv2::EFFNETV2_CPU_LEVEL {
namespace {

constexpr int kHalf = 1 << (kPrecisionBits - 1);

inline int clipped(int sum) {
  sum >>= kPrecisionBits;
  sum = sum < 0 ? 0 : sum;
  return sum > 255 ? 255 : sum;
}

void widen(const std::uint8_t* from, std::ptrdiff_t count, std::int32_t* __restrict to) {
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    to[i] = from[i];
  }
}

void rows(const ResizeTaps* taps, std::ptrdiff_t positions, const std::int32_t* from, std::uint8_t* to) {
  constexpr int kNumbers = 16, kVectors = kNumbers / kLanes;
  for (std::ptrdiff_t i = 0; i < positions; ++i, to += kNumbers) {
    const ResizeTaps& position = taps[i];
    Ints sums[kVectors];
    for (Ints& sum : sums) {
      sum = all<Ints>(kHalf);
    }
    const std::int32_t* pixel = from + position.first * kNumbers;
    for (std::ptrdiff_t k = 0; k < position.count; ++k, pixel += kNumbers) {
      for (int v = 0; v < kVectors; ++v) {
        sums[v] += load<Ints>(pixel + v * kLanes) * position.weights[k];
      }
    }
    int numbers[kNumbers];
    store(numbers, sums);
    for (int v = 0; v < kNumbers; ++v) {
      to[v] = static_cast<std::uint8_t>(clipped(numbers[v]));
    }
  }
}

void columns(const ResizeTaps& taps, const std::uint8_t* from, std::ptrdiff_t count, std::int32_t* __restrict sums,
             std::uint8_t* __restrict to) {
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    sums[i] = kHalf;
  }
  from += taps.first * count;
  for (std::ptrdiff_t k = 0; k < taps.count; ++k, from += count) {
    const int weight = taps.weights[k];
    for (std::ptrdiff_t i = 0; i < count; ++i) {
      sums[i] += from[i] * weight;
    }
  }
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    to[i] = static_cast<std::uint8_t>(clipped(sums[i]));
  }
}

}  // namespace

extern const ResizeKernels kResizeKernels;
const ResizeKernels kResizeKernels{widen, rows, columns};

}  // namespace effnetv2::EFFNETV2_CPU_LEVEL
