#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include "effnetv2/config/train_config.h"
#include "effnetv2/weights/safetensors.h"

namespace effnetv2 {

/// An average and the tensor that it follows.
struct Averaged {
  at::Tensor average, value;
};

/// average += weight * (value - average) for each; integers are copied. One pass over memory on the CPU, the same for
/// any thread count.
void move_averages(std::span<const Averaged> averages, double weight);

/// Exponential moving average of parameters and BatchNorm statistics; integer buffers are copied.
class Ema {
 public:
  /// Begins as a copy of the module's values, with their strides and devices. config.decay must be set.
  Ema(const EmaConfig& config, const torch::nn::Module& module);

  /// After an optimizer step: average = d * average + (1 - d) * value. With warm-up d = min(decay, (1 + t) / (10 + t)),
  /// t the updates before this one: 0.1 at the first, 2 / 11 at the second. Without: decay. `module` is the one of the
  /// constructor or has the same tensors.
  void update(const torch::nn::Module& module) { move_averages(follows(module), next_weight()); }
  /// Counts an update and returns its 1 - d; for who moves the averages himself.
  double next_weight();
  /// Aliases, in the order of state().
  std::vector<Averaged> follows(const torch::nn::Module& module) const;
  std::int64_t updates() const noexcept { return updates_; }
  /// By state_dict name; aliases.
  const NamedTensors& state() const noexcept { return average_; }
  /// Throws CheckpointError listing every name or shape that differs.
  void load_state(const NamedTensors& state, std::int64_t updates);
  /// Swaps the averages with the module's own values: once to evaluate with them, again to go back. Exact.
  void swap(torch::nn::Module& module);

 private:
  EmaConfig config_;
  std::int64_t updates_ = 0;
  NamedTensors average_;
};

}  // namespace effnetv2
