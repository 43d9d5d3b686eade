#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "effnetv2/config/train_config.h"
#include "effnetv2/weights/safetensors.h"

namespace torch::nn {
class Module;
}

namespace effnetv2 {

/// One parameter with its name and how the config treats it.
struct OptimizedParameter {
  std::string name;
  at::Tensor value;       ///< leaf; its grad is read by step()
  bool decay = true;      ///< weight decay applies
  double lr_scale = 1.0;  ///< factor on the learning rate
};

/// Every parameter of `module` by its state_dict name. Without decay_norm_and_bias, those of rank 0 and 1 (BatchNorm's
/// weights, all biases) do not decay.
std::vector<OptimizedParameter> optimized_parameters(const torch::nn::Module& module, const OptimizerConfig& config);

/// Adam, AdamW, SGD (no dampening) and RMSprop (not centred) with torch.optim's formulas, one pass over memory each on
/// the CPU, whatever the thread count with the same result. weight_decay: AdamW's is decoupled, the others add it to
/// the gradient. State has names, so that it is saved, checked and restored by name, and the strides of its parameter.
class Optimizer {
 public:
  Optimizer(const OptimizerConfig& config, std::vector<OptimizedParameter> parameters);
  ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// One update at learning rate `lr` (times lr_scale); parameters without a gradient are left alone.
  void step(double lr);
  /// Drops every gradient (set to undefined).
  void zero_grad();
  /// L2 norm over all gradients (float64 accumulation in an order that the thread count does not change). If it is
  /// larger than `max_norm`, they are scaled in place by max_norm / (norm + 1e-6), as torch's clip_grad_norm_ does; one
  /// that is not finite makes the gradients so. Returns the norm before.
  double clip_grad_norm(double max_norm);

  /// Updates made so far.
  std::int64_t steps() const noexcept;
  /// Aliases, in parameter order, zero from construction on: "<parameter>." and, for Adam and AdamW, step (int64
  /// scalar, this parameter's own updates), exp_avg and exp_avg_sq; RMSprop: square_avg; RMSprop and SGD with momentum:
  /// momentum_buffer.
  NamedTensors state() const;
  /// Throws CheckpointError listing every name or shape that differs.
  void load_state(const NamedTensors& state, std::int64_t steps);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// State tensors of the parameter's size that `config` keeps (2 for Adam), for memory estimates.
int optimizer_slots(const OptimizerConfig& config);

}  // namespace effnetv2
