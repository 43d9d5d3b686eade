#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "effnetv2/config/train_config.h"
#include "effnetv2/train/ema.h"
#include "effnetv2/weights/safetensors.h"

namespace torch::nn {
class Module;
}

namespace effnetv2 {

class FusedOptimizer;
struct UpdateRule;
enum class UpdateKind;

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

/// Makes what takes the steps on a card, as cuda::fused_optimizer.
using MakeFusedOptimizer =
    std::function<std::unique_ptr<FusedOptimizer>(UpdateKind, const UpdateRule&, std::size_t, at::Device)>;

/// Adam, AdamW, SGD (no dampening) and RMSprop (not centred) with torch.optim's formulas, one pass over memory each on
/// the CPU, whatever the thread count with the same result. weight_decay: AdamW's is decoupled, the others add it to
/// the gradient. State has names, so that it is saved, checked and restored by name, and the strides of its parameter.
class Optimizer {
 public:
  Optimizer(const OptimizerConfig& config, std::vector<OptimizedParameter> parameters);
  /// With steps of that kind, whatever the device.
  Optimizer(const OptimizerConfig& config, std::vector<OptimizedParameter> parameters,
            const MakeFusedOptimizer& make_fused);
  ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// One update at learning rate `lr` (times lr_scale); parameters without a gradient are left alone.
  void step(double lr);

  // The same in two parts, for a CUDA graph: what is done on the host, and what is recorded and replayed.

  /// Counts a step of every parameter that requires a gradient and sends its numbers to where launch() reads them.
  /// average_weight: Ema::next_weight(), 0 to 1.
  void prepare(double lr, double average_weight = 0.0);
  /// The update that was prepared, and after it that of `averages`. Gradients count as clip_grad_norm(max_norm) would
  /// leave them, though on a card they keep their values. On a card nothing waits, and all of it is one pass over
  /// memory. Throws c10::Error if a parameter that was prepared has no gradient.
  void launch(std::optional<double> max_norm = std::nullopt, std::span<const Averaged> averages = {});
  /// Frees what launch() left for CUDA graphs to read; for when they are gone.
  void forget_captured();

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
