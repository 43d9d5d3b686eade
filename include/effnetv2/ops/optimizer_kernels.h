#pragma once

#include <cstdint>

namespace at {
class Tensor;
}

namespace effnetv2 {

enum class CpuLevel;

/// The update rules. AdamW is adam with `shrink` instead of `l2`.
enum class UpdateKind { adam, sgd, sgd_momentum, rmsprop, rmsprop_momentum };
inline constexpr int kUpdateKinds = 5;

/// State tensors that a rule keeps per parameter, 0 to 2: exp_avg, exp_avg_sq | - | momentum_buffer | square_avg |
/// square_avg, momentum_buffer. The kernels call them first and second.
int update_slots(UpdateKind kind);

/// The numbers of one update of one parameter; each rule reads its own.
struct UpdateRule {
  double step_size = 0.0;   ///< factor on the direction: lr, Adam: lr / (1 - beta1^t)
  double shrink = 1.0;      ///< the value is multiplied by it first: AdamW's 1 - lr * weight_decay
  double l2 = 0.0;          ///< times the value, added to the gradient
  double beta1 = 0.9;       ///< adam
  double beta2 = 0.999;     ///< adam; RMSprop's alpha
  double correction = 1.0;  ///< adam: 1 / sqrt(1 - beta2^t)
  double eps = 1e-8;        ///< adam, rmsprop
  double momentum = 0.0;
  bool nesterov = false;
};

/// A stretch of one parameter with its gradient and state, all in the same storage order.
struct UpdateSlice {
  float* value;
  const float* grad;
  float* first;  ///< null where the rule has no such slot
  float* second;
  std::int64_t size;
};

/// One instruction set's kernels. All work element by element: any partition and alignment gives the same bits.
struct OptimizerKernels {
  void (*update[kUpdateKinds])(const UpdateRule&, const UpdateSlice&);  ///< by UpdateKind
  /// average += weight * (value - average).
  void (*lerp)(float* average, const float* value, double weight, std::int64_t size);
  /// In float64, in an order that depends on `size` alone; the same on every instruction set.
  double (*sum_of_squares)(const float* values, std::int64_t size);
};

/// Compiled for `level`, which must be among supported_cpu_levels().
const OptimizerKernels& optimizer_kernels(CpuLevel level);

/// The same updates in ATen's operations, in place, for any device, strides and floating dtype: torch.optim's formulas
/// as written there. Undefined tensors for slots that the rule does not have.
void reference_update(UpdateKind kind, const UpdateRule& rule, const at::Tensor& value, const at::Tensor& grad,
                      const at::Tensor& first, const at::Tensor& second);
void reference_lerp(const at::Tensor& average, const at::Tensor& value, double weight);

}  // namespace effnetv2
