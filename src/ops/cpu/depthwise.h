#pragma once

#include <cstdint>

#include "taps.h"

namespace effnetv2 {

/// Neighbouring positions along the width that meet the whole filter, each `stride` further in the source than the
/// one before.
struct Interior {
  std::int64_t begin;
  std::int64_t end;
  std::int64_t stride;
};

/// result[n, h, w, c] = sum over the taps of source[n, h', w', c] * filter[tap, c]: the convolution, and its gradient
/// by the input. All tensors are channels-last.
struct DepthwiseGather {
  std::int64_t channels;
  std::int64_t kernel;
  std::int64_t source_height, source_width;
  std::int64_t height, width;  ///< of the result
  const Taps* rows;            ///< [height]
  const Taps* columns;         ///< [width]
  Interior interior;
  std::int64_t tap_step;  ///< how far the filter position moves, up or down, while the source moves by one
  const void* source;
  const float* filter;  ///< [kernel * kernel, channels]
  void* result;         ///< of the source's type
};

/// sums[tap, c] += sum over images and positions of grad[n, h, w, c] * source[n, h', w', c].
struct DepthwiseReduce {
  std::int64_t channels;
  std::int64_t kernel;
  std::int64_t source_height, source_width;
  std::int64_t height, width;  ///< of the gradient
  const Taps* rows;
  const Taps* columns;
  Interior interior;
  const void* source;
  const void* grad;
};

/// Of one instruction set, for maps in float32 or in bfloat16. Filters and sums are float32.
struct DepthwiseKernels {
  /// Rows [begin, end) of the N * height rows of the result.
  void (*gather)(const DepthwiseGather&, std::int64_t begin, std::int64_t end);
  /// Images [begin, end), channels [first, last), added to sums [kernel * kernel, channels].
  void (*reduce)(const DepthwiseReduce&, std::int64_t begin, std::int64_t end, std::int64_t first, std::int64_t last,
                 float* sums);
};

}  // namespace effnetv2
