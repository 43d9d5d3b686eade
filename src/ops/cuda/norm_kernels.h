#pragma once

#include <cstdint>

#include <cuda_runtime_api.h>

#include "map_type.h"

// BatchNorm with what follows it, between the kernels (C++17, no LibTorch) and their binding. Maps are channels-last,
// rows of channels, and start at multiples of 16 bytes; all else is float32. Sums are in an order that the map's shape
// alone decides.
namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {

struct NormMap {
  MapType type;
  int channels;
  std::int64_t rows;  ///< of all images together, fewer than 2^31
  int positions;      ///< rows of an image

  std::int64_t images() const { return rows / positions; }
};

/// Of a batch, [C] each: z = x * scale + shift.
struct NormStatistics {
  float* scale;
  float* shift;
  float* mean;     ///< null for running statistics, as is the next
  float* inverse;  ///< 1 / deviation
};

/// What the gradient dy of the result is for the activation's: factor * dy + share.
struct BranchGrad {
  const float* keep;   ///< [N]: the factor, or null: 1
  const float* gate;   ///< [N, C]: the factor, or null
  const float* share;  ///< [N, C], where there is a gate
};

/// Values that `partial` must have room for in what takes it.
std::int64_t norm_partial_size(const NormMap& map);

struct BatchStatistics {
  const void* x;
  const float* weight;
  const float* bias;
  float* running_mean;
  float* running_var;
  double eps, momentum;
  std::int64_t* batches;  ///< counted, if not null
};
cudaError_t batch_statistics(const NormMap& map, const BatchStatistics& batch, float* partial,
                             const NormStatistics& statistics, cudaStream_t stream);
/// scale and shift of running statistics.
cudaError_t running_statistics(const NormMap& map, const BatchStatistics& running, const NormStatistics& statistics,
                               cudaStream_t stream);

/// y = act(z) * keep * gate + residual; each of the last three may be null. y may be x.
struct NormApply {
  const void* x;
  bool silu;
  const float* keep;     ///< [N]
  const float* gate;     ///< [N, C]
  const void* residual;  ///< as x
  void* y;
};
cudaError_t norm_apply(const NormMap& map, const NormStatistics& statistics, const NormApply& tensors,
                       cudaStream_t stream);

/// Of each image and channel, [N, C]: the mean of silu(z), or with dy the sum of dy * silu(z).
cudaError_t norm_pool(const NormMap& map, const NormStatistics& statistics, const void* x, const void* dy, float* out,
                      cudaStream_t stream);

struct NormGrad {
  const void* x;
  const void* dy;
  bool silu;
  BranchGrad branch;
};
/// The gradients of weight and bias, and slopes [3, C] for norm_grad().
cudaError_t norm_grad_sums(const NormMap& map, const NormStatistics& statistics, const NormGrad& grad, float* partial,
                           float* grad_weight, float* grad_bias, float* slopes, cudaStream_t stream);
cudaError_t norm_grad(const NormMap& map, const NormStatistics& statistics, const NormGrad& grad, const float* slopes,
                      void* dx, cudaStream_t stream);

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
