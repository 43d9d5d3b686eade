#pragma once

#include <cstdint>
#include <tuple>

#include <ATen/core/Tensor.h>

#include "effnetv2/core/cpu_features.h"

namespace effnetv2 {

/// A filter in the kernels' own order, made at its first use with maps of one dtype: for weights that do not change.
struct PackedFilter {
  at::Tensor panels;
  at::ScalarType dtype = at::kFloat;  ///< of the maps it is for
  at::Tensor bfloat16{};              ///< the weight itself, for where LibTorch convolves
};

/// 2-D convolution over all channels (groups = 1) on the CPU as matrix products without an unfolded copy of the input.
/// \param x       [N, C, H, W] float32 or bfloat16; any strides, channels_last is not copied
/// \param weight  [O, C, k, k] float32; any strides, channels_last is not copied
/// \param bias    [O] float32, or undefined for none
/// \param stride  at least 1
/// \param padding at least 0
/// \return [N, O, H', W'] in channels_last, dtype of x; sums are float32, and so is the gradient by weight
/// Of bfloat16 maps the factors are bfloat16, the weight's too; without multiplies_bf16() they are multiplied in
/// float32. `packed` as for dense_forward(), where no gradient is wanted. Differentiable; a second derivative takes
/// at::conv2d's. Taps outside the map cost nothing. Made for batches: the same position of several images fills a
/// register tile. The bits do not depend on the number of threads. \throws c10::Error for other shapes or dtypes
at::Tensor dense_conv2d(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, std::int64_t stride,
                        std::int64_t padding, PackedFilter* packed = nullptr);

/// Whether the level has instructions for bfloat16, and the channels of this [O, C, k, k] pair.
bool multiplies_bf16(const at::Tensor& weight, CpuLevel level);

/// dense_conv2d() and its derivatives at a given level, without autograd. `grad` is [N, O, H', W']. `packed`, if given,
/// belongs to `weight`: it is filled, or used.
at::Tensor dense_forward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, std::int64_t stride,
                         std::int64_t padding, CpuLevel level, PackedFilter* packed = nullptr);
at::Tensor dense_grad_input(const at::Tensor& grad, const at::Tensor& x, const at::Tensor& weight, std::int64_t stride,
                            std::int64_t padding, CpuLevel level);
at::Tensor dense_grad_weight(const at::Tensor& grad, const at::Tensor& x, const at::Tensor& weight, std::int64_t stride,
                             std::int64_t padding, CpuLevel level);

}  // namespace effnetv2
