#pragma once

#include <cstdint>

#include <cuda_runtime_api.h>

#include "effnetv2/ops/cuda_namespace.h"

// Between the kernel (C++17, no LibTorch) and its binding.
namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {

/// As UpdateKind, in its order.
enum class Rule { adam, sgd, sgd_momentum, rmsprop, rmsprop_momentum };

struct Entry {
  float* value;
  const float* grad;
  float* first;
  float* second;
  std::int64_t size;
  float step_size, shrink, l2, correction;
};

inline constexpr int kEntries = 56;  // what fits the 4 KiB that a launch's arguments may take
inline constexpr int kChunk = 4096;  // elements of a block

/// One launch: blocks first_block[i] ... first_block[i + 1] - 1 work on entries[i].
struct UpdateArguments {
  Entry entries[kEntries];
  std::int32_t first_block[kEntries + 1];
  std::int32_t count;
  float keep1, take1, keep2, take2, eps, momentum;
  bool nesterov;
};
static_assert(sizeof(UpdateArguments) <= 4096);

cudaError_t launch_update(Rule rule, const UpdateArguments& arguments, cudaStream_t stream);

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
