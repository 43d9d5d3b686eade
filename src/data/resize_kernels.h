#pragma once

#include <cstddef>
#include <cstdint>

namespace effnetv2 {

/// Pillow's fixed-point numbers: weights have so many bits behind the point.
inline constexpr int kPrecisionBits = 32 - 8 - 2;

/// The weighted sum that makes one position of the result: weights[0] to [count - 1] from source position `first` on.
struct ResizeTaps {
  std::ptrdiff_t first;
  std::ptrdiff_t count;
  const std::int32_t* weights;
};

/// What src/data/cpu/resize_kernels.cpp does at each instruction set, to the same bits.
struct ResizeKernels {
  /// Numbers as wide as their sums, so that each is widened once and not in each sum.
  void (*widen)(const std::uint8_t* from, std::ptrdiff_t count, std::int32_t* to);
  /// Four rows at once: `from` holds 16 numbers a pixel, RGB and one left over of each row, and so does `to`.
  void (*rows)(const ResizeTaps* taps, std::ptrdiff_t positions, const std::int32_t* from, std::uint8_t* to);
  /// One row of the result: `count` weighted sums down the rows that lie `count` apart, source position 0 at `from`.
  /// `sums` is room for them.
  void (*columns)(const ResizeTaps& taps, const std::uint8_t* from, std::ptrdiff_t count, std::int32_t* sums,
                  std::uint8_t* to);
};

}  // namespace effnetv2
