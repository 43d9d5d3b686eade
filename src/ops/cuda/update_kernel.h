#pragma once

#include <cstdint>

#include <cuda_runtime_api.h>

#include "effnetv2/ops/cuda_namespace.h"

// Between the kernels (C++17, no LibTorch) and their binding. All pointers lead to the card's memory.
namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {

/// As UpdateKind, in its order.
enum class Rule { adam, sgd, sgd_momentum, rmsprop, rmsprop_momentum };

/// What does not change from step to step.
struct UpdateConstants {
  float keep1, take1, keep2, take2, eps, momentum;
  bool nesterov;
};

/// A tensor of `size` elements. Without a gradient it is averaged alone, without an average updated alone.
struct UpdateEntry {
  float* value;
  const float* grad;
  float* first;
  float* second;
  float* average;
  std::int64_t size;
};

/// What does, for one tensor.
struct UpdateNumbers {
  float step_size, shrink, l2, correction;
};

/// A block of threads works on elements chunk * kUpdateChunk and following of entries[entry].
struct UpdateBlock {
  std::int32_t entry, chunk;
};
inline constexpr int kUpdateChunk = 4096;

struct UpdateTable {
  const UpdateEntry* entries;
  const UpdateNumbers* numbers;  ///< by entry, of those with a gradient
  const UpdateBlock* blocks;
  int block_count;
  const float* average_weight;
  const float* grad_scale;  ///< every gradient is multiplied by it first; null: by 1
};

cudaError_t launch_update(Rule rule, const UpdateConstants& constants, const UpdateTable& table, cudaStream_t stream);

/// *scale = min(1, max_norm / (norm + 1e-6)) for the norm over all gradients of the table;
/// its sums are float64 in an order that the table alone decides. partial: block_count values.
cudaError_t launch_grad_scale(const UpdateTable& table, double max_norm, double* partial, float* scale,
                              cudaStream_t stream);

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
