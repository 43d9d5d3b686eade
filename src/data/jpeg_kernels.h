#pragma once

#include <cstddef>
#include <cstdint>

namespace effnetv2 {

/// The inverse cosine transform of a row of blocks, each to size_x x size_y pixels from its kept_x x kept_y lowest
/// frequencies.
struct JpegTransform {
  int kept_x, kept_y;  ///< 1 to 8
  int size_x, size_y;  ///< 1 to kMostPixels
  /// What coefficient (v, u), at v * kept_x + u, is multiplied with.
  const float* scale;
  const float* basis_x;  ///< [size_x][kept_x]: cosines by pixel and frequency
  const float* basis_y;  ///< [size_y][kept_y]
  static constexpr int kMostPixels = 32;
};

/// What src/data/cpu/jpeg_kernels.cpp does at each instruction set, to the same bits.
struct JpegKernels {
  /// Coefficient i of block b is at coefficients[i * plane + b]; `blocks` is a multiple of 16. Row y of the result,
  /// blocks * size_x pixels, begins at to + y * stride; up to 15 bytes behind it are overwritten.
  void (*transform)(const JpegTransform& transform, const std::int16_t* coefficients, std::ptrdiff_t plane,
                    std::ptrdiff_t blocks, std::uint8_t* to, std::ptrdiff_t stride);
  /// From Y, Cb and Cr to RGB, interleaved; `count` is a multiple of 16; a byte behind the result is overwritten.
  void (*to_rgb)(const std::uint8_t* y, const std::uint8_t* cb, const std::uint8_t* cr, std::ptrdiff_t count,
                 std::uint8_t* rgb);
};

}  // namespace effnetv2
