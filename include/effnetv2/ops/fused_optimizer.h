#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>

#include <ATen/core/Tensor.h>

#include "effnetv2/ops/cuda_namespace.h"
#include "effnetv2/ops/optimizer_kernels.h"

namespace effnetv2 {

/// A tensor that an optimizer's step changes: float32, dense, all in the same storage order. Undefined members are not
/// there: without a gradient the value is averaged alone.
struct FusedTensor {
  at::Tensor value, grad, first, second, average;
};

/// The step of a whole network on a card: gradients scaled to a norm, the update rule and the moving average, in one
/// launch over all tensors (two small ones before it for a norm), element by element in float32 as the CPU's kernels.
/// What changes from step to step is read out of the card's memory, so that a CUDA graph which has captured launch()
/// does what the last prepare() said. Nothing waits for the card.
class FusedOptimizer {
 public:
  FusedOptimizer() = default;
  virtual ~FusedOptimizer() = default;
  FusedOptimizer(const FusedOptimizer&) = delete;
  FusedOptimizer& operator=(const FusedOptimizer&) = delete;

  /// Sends step_size, shrink, l2 and correction of each parameter, and how far averages go towards values, 0 to 1.
  virtual void prepare(std::span<const UpdateRule> rules, double average_weight) = 0;
  /// One step on the current stream. tensors: the parameters in the order of the rules, then any that are only
  /// averaged. max_norm: as Optimizer::clip_grad_norm, but gradients keep their values.
  virtual void launch(std::span<const FusedTensor> tensors, std::optional<double> max_norm) = 0;
  /// Frees what captured launches read; for when their graphs are gone.
  virtual void forget_captured() = 0;
};

namespace EFFNETV2_CUDA_NAMESPACE {

/// \param rule        beta1, beta2, eps, momentum and nesterov of all steps
/// \param parameters  that each step has
/// \throws EnvironmentError where the CUDA kernels were not built
std::unique_ptr<FusedOptimizer> fused_optimizer(UpdateKind kind, const UpdateRule& rule, std::size_t parameters,
                                                at::Device device);

}  // namespace EFFNETV2_CUDA_NAMESPACE

}  // namespace effnetv2
