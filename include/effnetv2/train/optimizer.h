#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "effnetv2/config/train_config.h"
#include "effnetv2/weights/safetensors.h"

namespace effnetv2 {

/// One parameter with its name and how the config treats it.
struct OptimizedParameter {
  std::string name;
  at::Tensor value;       ///< leaf; its grad is read by step()
  bool decay = true;      ///< weight decay applies
  double lr_scale = 1.0;  ///< factor on the learning rate
};

/// Adam, AdamW, SGD and RMSprop with torch.optim's formulas, one pass over memory each. State has names, so that it
/// is saved, checked and restored by name.
class Optimizer {
 public:
  Optimizer(const OptimizerConfig& config, std::vector<OptimizedParameter> parameters);
  ~Optimizer();

  /// One update at learning rate `lr` (times lr_scale); parameters without a gradient are left alone.
  void step(double lr);
  /// Drops every gradient (set to undefined).
  void zero_grad();
  /// L2 norm over all gradients (float64 accumulation), scaled in place to `max_norm` if larger; returns the norm before.
  double clip_grad_norm(double max_norm);

  /// Updates made so far (Adam's t).
  std::int64_t steps() const noexcept;
  /// "<parameter>.exp_avg", ...: aliases, in parameter order. Empty before the first step for lazily made ones: never;
  /// every slot exists from construction on, zero.
  NamedTensors state() const;
  /// Throws CheckpointError listing every name or shape that differs.
  void load_state(const NamedTensors& state, std::int64_t steps);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// State tensors per parameter that `type` keeps (2 for Adam), for memory estimates.
int optimizer_slots(const OptimizerConfig& config);

}  // namespace effnetv2
