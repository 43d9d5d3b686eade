#pragma once

#include <cstddef>
#include <cstdint>

#include <cuda_runtime_api.h>

#include "map_type.h"

// Depthwise convolution between the kernels (C++17, no LibTorch) and their binding. Maps are channels-last and start at
// multiples of 16 bytes; filters [C, 1, k, k] and sums are float32.
namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {

/// One image of either map holds less than 2^31 values, and so do the positions of all images together. No size is 0.
struct DepthwiseShape {
  MapType type;
  int images, channels;
  int height, width;          ///< of the input
  int out_height, out_width;  ///< of the result
  int kernel, stride, padding;
};

/// out = silu?(conv(x, weight) + bias); `bias` [C] may be null.
struct DepthwiseForward {
  const void* x;
  const float* weight;
  const float* bias;
  bool silu;
  void* out;
};
cudaError_t depthwise_forward(const DepthwiseShape& shape, const DepthwiseForward& tensors, cudaStream_t stream);

struct DepthwiseGradInput {
  const void* grad;  ///< of the result
  const float* weight;
  void* grad_x;
};
cudaError_t depthwise_grad_input(const DepthwiseShape& shape, const DepthwiseGradInput& tensors, cudaStream_t stream);

/// Into how many parts the sum over images and positions is cut, by the shape alone. One part needs no `parts`.
int depthwise_grad_weight_parts(const DepthwiseShape& shape);

struct DepthwiseGradWeight {
  const void* grad;  ///< of the result
  const void* x;
  float* parts;        ///< [depthwise_grad_weight_parts(), k * k, C]: where they are kept on the way
  float* grad_weight;  ///< [C, 1, k, k]
};
cudaError_t depthwise_grad_weight(const DepthwiseShape& shape, const DepthwiseGradWeight& tensors, cudaStream_t stream);

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
