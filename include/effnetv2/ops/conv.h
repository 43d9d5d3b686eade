#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "effnetv2/ops/dense.h"

namespace effnetv2 {

/// 2-D convolution, differentiable, with the fastest implementation there is for the shape and device.
/// \param x       [N, C, H, W]; bfloat16 also beside a float32 weight, which then gets a float32 gradient
/// \param weight  [O, C / groups, k, k]
/// \param bias    [O], or undefined for none
/// \param stride  both directions, at least 1
/// \param padding zeros on all four sides, at least 0
/// \param groups  divides C and O
/// \param packed  for a weight that stays as it is while no gradient is wanted: filled, or used; may be null
/// \return [N, O, (H + 2 padding - k) / stride + 1, (W + 2 padding - k) / stride + 1]
/// Values and gradients are at::conv2d's up to rounding; other dtypes and, but for depthwise filters, other devices
/// take at::conv2d itself. Equal inputs give equal bits for the same number of intra-op threads. \throws c10::Error
/// where at::conv2d does
at::Tensor conv2d(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, std::int64_t stride,
                  std::int64_t padding, std::int64_t groups, PackedFilter* packed = nullptr);

}  // namespace effnetv2
