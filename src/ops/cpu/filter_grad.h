#pragma once

#include <cstdint>

namespace effnetv2 {

// The gradient of a convolution by its filter: for each tap a sum, over the positions where the tap meets the source,
// of gradient times source. bfloat16 is multiplied in pairs of positions that follow each other along a line.

/// Positions along one line of the gradient's map, `count` from value `grad` on, put together from step `step` on.
struct FilterGradLine {
  std::int64_t grad;
  std::int64_t count;
  std::int64_t step;
};

/// A tap's positions on one line: from step `step` of what was put together on, and from value `source` on.
struct FilterGradRun {
  std::int64_t step;
  std::int64_t source;
  std::int64_t count;  ///< positions; half as many steps, rounded up, where they pair
};

/// result[row, tap, column] = sum over a tap's runs of gradient * source.
struct FilterGrad {
  std::int64_t rows;     ///< channels of the gradient
  std::int64_t columns;  ///< channels of the source
  std::int64_t taps;
  std::int64_t grad_step, source_step;  ///< from one position of a line to the next, in values
  std::int64_t chunks;                  ///< short enough for the caches and for the rounding of a sum
  const FilterGradLine* line;
  const std::int64_t* first_line;  ///< [chunks + 1]: the lines of each chunk
  const FilterGradRun* run;
  const std::int64_t* first_run;  ///< [chunks * taps + 1]: the runs of each chunk and tap
  const void* grad;               ///< float32, or bfloat16
  const void* source;             ///< likewise
  float* result;                  ///< [rows, taps, columns]
};

struct FilterGradKernels {
  std::int64_t panel_columns;  ///< of a register tile
  std::int64_t tile_rows;      ///< of a register tile
  std::int64_t step_bytes;     ///< of what is put together of the gradient: tile_rows units
  std::int64_t slack_bytes;    ///< that must follow them

  /// The result's tiles [row_begin, row_end) by [column_begin, column_end). `scratch` holds the steps of any chunk.
  void (*reduce)(const FilterGrad&, std::int64_t row_begin, std::int64_t row_end, std::int64_t column_begin,
                 std::int64_t column_end, void* scratch);
};

}  // namespace effnetv2
