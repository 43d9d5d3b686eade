#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "effnetv2/core/cpu_features.h"

namespace effnetv2 {

/// Depthwise 2-D convolution on the CPU: at::conv2d with groups = C, one filter per channel.
/// \param x       [N, C, H, W] float32 or bfloat16; any strides, channels_last is not copied
/// \param weight  [C, 1, k, k] float32, k odd
/// \param stride  at least 1
/// \param padding at least 0
/// \return [N, C, H', W'] in channels_last, dtype of x; sums are float32, and so is the gradient by weight
/// Differentiable; a second derivative takes at::conv2d's. Taps outside the map cost nothing, so a 3x3 filter on a 1x1
/// map is one multiplication per channel. The bits do not depend on the number of threads.
/// \throws c10::Error for other shapes or dtypes
at::Tensor depthwise_conv2d(const at::Tensor& x, const at::Tensor& weight, std::int64_t stride, std::int64_t padding);

/// depthwise_conv2d() and its two derivatives at a given level, without autograd. `grad` is [N, C, H', W'].
at::Tensor depthwise_forward(const at::Tensor& x, const at::Tensor& weight, std::int64_t stride, std::int64_t padding,
                             CpuLevel level);
at::Tensor depthwise_grad_input(const at::Tensor& grad, const at::Tensor& x, const at::Tensor& weight,
                                std::int64_t stride, std::int64_t padding, CpuLevel level);
at::Tensor depthwise_grad_weight(const at::Tensor& grad, const at::Tensor& x, const at::Tensor& weight,
                                 std::int64_t stride, std::int64_t padding, CpuLevel level);

}  // namespace effnetv2
