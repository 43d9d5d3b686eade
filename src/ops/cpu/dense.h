#pragma once

#include <cstdint>

namespace effnetv2 {

// Two arithmetics: of float32, and of pairs of bfloat16 whose two products are added to a float32 sum at once. A unit
// is what one multiplication takes of either side: a float, or a pair that is neighbours along the sum.

/// One filter tap at one position of a convolution's result: where the source vector of `depth` channels begins,
/// within an image, and where its rows begin, within a panel of the filter. In units.
struct DenseTap {
  std::int64_t source;
  std::int64_t panel;
};

/// One position of the result: where it lies, within an image, and its taps [first, first + count). Or a row of them
/// with the same taps, as a register tile's rows: the next lies `result_step` values further, and what its taps meet
/// `source_step` units further.
struct DensePosition {
  std::int64_t result;
  std::int64_t first;
  std::int64_t count;
  std::int64_t length = 1;
  std::int64_t source_step = 0, result_step = 0;
};

/// result[image, position, column] = bias[column] + sum over taps and depth of source * filter: the convolution, and
/// its gradient by the input. The rows of a register tile are one position of several images, or several positions of
/// one image, which have the same taps: padding costs nothing.
struct DenseMultiply {
  std::int64_t depth;                       ///< channels of the source, in units
  std::int64_t columns;                     ///< channels of the result
  std::int64_t source_image, result_image;  ///< distances from one image to the next, in units and in values
  std::int64_t positions;
  const DensePosition* position;  ///< [positions]
  const DenseTap* tap;
  const void* source;
  const void* panels;       ///< from pack_*
  std::int64_t panel_size;  ///< units: taps of the filter * depth * panel_columns
  const float* bias;        ///< [columns] or null
  void* result;             ///< float32, or bfloat16 where that is multiplied
};

struct DenseKernels {
  std::int64_t panel_columns;  ///< channels of a panel that fill whole registers
  std::int64_t tile_rows;      ///< of a register tile

  /// Filter [columns, taps * depth] to one panel [taps * depth, panel_columns] of units along the depth, which is even
  /// for pairs; columns from `first` on, zeros behind the last. The filter is float32 in either arithmetic; `depth`
  /// counts channels.
  void (*pack_transposed)(const float* filter, std::int64_t depth, std::int64_t columns, std::int64_t first,
                          void* panel);
  /// Filter [depth, taps, columns] to one panel [taps, depth, panel_columns].
  void (*pack_straight)(const float* filter, std::int64_t depth, std::int64_t taps, std::int64_t columns,
                        std::int64_t first, void* panel);
  /// Images [begin, end), one panel: tiles across images, for positions of length 1.
  void (*multiply_images)(const DenseMultiply&, std::int64_t begin, std::int64_t end, std::int64_t panel);
  /// Rows of positions [begin, end), counted through all images, one panel: tiles along them.
  void (*multiply_rows)(const DenseMultiply&, std::int64_t begin, std::int64_t end, std::int64_t panel);
};

}  // namespace effnetv2
