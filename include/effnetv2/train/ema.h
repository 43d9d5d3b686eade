#pragma once

#include <cstdint>

#include <torch/nn/module.h>

#include "effnetv2/config/train_config.h"
#include "effnetv2/weights/safetensors.h"

namespace effnetv2 {

/// Exponential moving average of parameters and BatchNorm statistics; integer buffers are copied.
class Ema {
 public:
  Ema(const EmaConfig& config, const torch::nn::Module& module);

  /// After an optimizer step: average = d * average + (1 - d) * value, d as EmaConfig says.
  void update(const torch::nn::Module& module);
  std::int64_t updates() const noexcept { return updates_; }
  /// By state_dict name; aliases.
  const NamedTensors& state() const noexcept { return average_; }
  void load_state(const NamedTensors& state, std::int64_t updates);
  /// Swaps the averages with the module's own values: once to evaluate with them, again to go back. Exact.
  void swap(torch::nn::Module& module);

 private:
  EmaConfig config_;
  std::int64_t updates_ = 0;
  NamedTensors average_;
};

}  // namespace effnetv2
