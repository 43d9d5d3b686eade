#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "effnetv2/ops/cuda_namespace.h"

// Depthwise convolution on a card, on its current stream and without waiting for it. Maps are float32 or bfloat16 in
// any strides (channels_last is not copied), results are channels_last in the map's dtype; filters are [C, 1, k, k]
// with odd k, a bias is [C], both float32 or bfloat16; sums are float32. Equal shapes and values give equal bits.
namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {

/// at::conv2d with groups = C, differentiable; a second derivative takes at::conv2d's.
/// \param x       [N, C, H, W]
/// \param bias    undefined for none
/// \param stride  at least 1
/// \param padding at least 0
/// \return [N, C, H', W']; gradients have the dtypes of what they belong to
/// \throws c10::Error for other shapes or dtypes, or where one image or all positions together exceed 2^31 values;
/// EnvironmentError where the CUDA kernels were not built
at::Tensor depthwise_conv2d(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, std::int64_t stride,
                            std::int64_t padding);

/// depthwise_conv2d() and, with `silu`, SiLU after it, without autograd: what inference asks for.
at::Tensor depthwise_forward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool silu,
                             std::int64_t stride, std::int64_t padding);

/// The derivatives by x and weight; `grad` is [N, C, H', W'] in x's dtype.
at::Tensor depthwise_grad_input(const at::Tensor& grad, const at::Tensor& x, const at::Tensor& weight,
                                std::int64_t stride, std::int64_t padding);
at::Tensor depthwise_grad_weight(const at::Tensor& grad, const at::Tensor& x, const at::Tensor& weight,
                                 std::int64_t stride, std::int64_t padding);

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
