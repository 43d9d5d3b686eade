#include "effnetv2/train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <unordered_map>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <torch/nn/module.h>
#include <torch/utils.h>

#include "effnetv2/core/cpu_features.h"
#include "effnetv2/core/error.h"
#include "effnetv2/ops/cuda_device.h"
#include "effnetv2/ops/fused_optimizer.h"
#include "effnetv2/ops/optimizer_kernels.h"
#include "effnetv2/weights/state_dict.h"

#include "parallel_slices.h"

namespace effnetv2 {
namespace {

UpdateKind update_kind(const OptimizerConfig& config) {
  switch (config.type) {
    case OptimizerType::sgd:
      return config.momentum > 0.0 ? UpdateKind::sgd_momentum : UpdateKind::sgd;
    case OptimizerType::rmsprop:
      return config.momentum > 0.0 ? UpdateKind::rmsprop_momentum : UpdateKind::rmsprop;
    case OptimizerType::adam:
    case OptimizerType::adamw:
      break;
  }
  return UpdateKind::adam;
}

std::vector<const char*> slot_names(UpdateKind kind) {
  switch (kind) {
    case UpdateKind::sgd:
      return {};
    case UpdateKind::sgd_momentum:
      return {"momentum_buffer"};
    case UpdateKind::rmsprop:
      return {"square_avg"};
    case UpdateKind::rmsprop_momentum:
      return {"square_avg", "momentum_buffer"};
    case UpdateKind::adam:
      break;
  }
  return {"exp_avg", "exp_avg_sq"};
}

/// True if element i of one's storage belongs to element i of the other's; both dense.
bool same_order(const at::Tensor& a, const at::Tensor& b) {
  for (std::int64_t d = 0; d < a.dim(); ++d) {
    if (a.size(d) > 1 && a.stride(d) != b.stride(d)) {
      return false;
    }
  }
  return true;
}

bool is_plain(const at::Tensor& value) {
  return value.scalar_type() == at::kFloat && value.is_non_overlapping_and_dense();
}

bool has_cpu_kernel(const at::Tensor& value) {
  return value.is_cpu() && has_cpu_kernels() && is_plain(value);
}

/// Where all of it is on one card. EFFNETV2_CPU=reference takes LibTorch's operations there too.
bool has_fused_step(const std::vector<OptimizedParameter>& parameters) {
  return cuda_kernels_built() && has_cpu_kernels() && !parameters.empty() &&
         std::ranges::all_of(parameters, [&](const OptimizedParameter& parameter) {
           const at::Tensor& value = parameter.value;
           return value.is_cuda() && value.device() == parameters.front().value.device() && is_plain(value);
         });
}

at::Tensor in_order_of(const at::Tensor& value, const at::Tensor& grad) {
  return grad.is_non_overlapping_and_dense() && same_order(value, grad) ? grad : at::empty_like(value).copy_(grad);
}

/// In chunks that do not depend on the thread count. grads: float32 on the CPU.
double cpu_sum_of_squares(const std::vector<at::Tensor>& grads) {
  constexpr std::int64_t kChunk = 1 << 16;
  struct Chunk {
    const float* values;
    std::int64_t size;
    double sum;
  };
  std::vector<at::Tensor> alive;
  std::vector<Chunk> chunks;
  for (const auto& grad : grads) {
    alive.push_back(grad.is_non_overlapping_and_dense() ? grad : grad.contiguous());
    const float* values = alive.back().data_ptr<float>();
    for (std::int64_t begin = 0; begin < grad.numel(); begin += kChunk) {
      chunks.push_back({values + begin, std::min(kChunk, grad.numel() - begin), 0.0});
    }
  }
  const auto sum_of_squares = optimizer_kernels(cpu_level()).sum_of_squares;
  at::parallel_for(0, static_cast<std::int64_t>(chunks.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) {
      Chunk& chunk = chunks[static_cast<std::size_t>(i)];
      chunk.sum = sum_of_squares(chunk.values, chunk.size);
    }
  });
  double sum = 0.0;
  for (const auto& chunk : chunks) {
    sum += chunk.sum;
  }
  return sum;
}

double sum_of_squares(const std::vector<at::Tensor>& grads) {
  std::vector<at::Tensor> on_cpu, sums;
  for (const auto& grad : grads) {
    if (grad.is_cpu() && grad.scalar_type() == at::kFloat) {
      on_cpu.push_back(grad);
    } else {
      sums.push_back(grad.to(at::kDouble).square().sum());
    }
  }
  double sum = cpu_sum_of_squares(on_cpu);
  if (!sums.empty()) {
    sum += at::stack(sums).sum().item<double>();
  }
  return sum;
}

}  // namespace

struct Optimizer::Impl {
  struct Entry {
    OptimizedParameter parameter;
    at::Tensor first, second;  ///< undefined where the rule has no such slot
    at::Tensor step;           ///< int64 scalar on the CPU: updates of this parameter
  };
  struct Update {
    UpdateRule rule;
    UpdateSlice slice;
    at::Tensor grad;  ///< keeps the slice's gradient alive
  };

  OptimizerConfig config;
  UpdateKind kind;
  std::vector<Entry> entries;
  std::unique_ptr<FusedOptimizer> fused;  ///< on a card
  std::int64_t steps = 0;
  // of the step that was prepared
  std::vector<std::optional<UpdateRule>> rules;  ///< by entry; none for those that are left alone
  double average_weight = 0.0;

  Impl(const OptimizerConfig& config_, std::vector<OptimizedParameter> parameters, const MakeFusedOptimizer& make_fused)
      : config(config_), kind(update_kind(config_)) {
    const torch::NoGradGuard no_grad;
    if (make_fused) {
      fused = make_fused(kind, constants(), parameters.size(), parameters.front().value.device());
    }
    for (auto& parameter : parameters) {
      Entry entry{std::move(parameter), {}, {}, at::zeros({}, at::kLong)};
      if (update_slots(kind) > 0) {
        entry.first = at::zeros_like(entry.parameter.value, at::MemoryFormat::Preserve);
      }
      if (update_slots(kind) > 1) {
        entry.second = at::zeros_like(entry.parameter.value, at::MemoryFormat::Preserve);
      }
      entries.push_back(std::move(entry));
    }
  }

  /// What all parameters have in common at every step.
  UpdateRule constants() const {
    const bool adam = kind == UpdateKind::adam;
    UpdateRule rule;
    rule.beta1 = adam ? config.betas[0] : rule.beta1;
    rule.beta2 = adam ? config.betas[1] : config.alpha;
    rule.eps = config.eps;
    rule.momentum = config.momentum;
    rule.nesterov = config.nesterov;
    return rule;
  }

  UpdateRule rule(const Entry& entry, double lr) const {
    const double decay = entry.parameter.decay ? config.weight_decay : 0.0;
    const bool decoupled = config.type == OptimizerType::adamw;
    UpdateRule rule = constants();
    rule.step_size = lr * entry.parameter.lr_scale;
    rule.shrink = decoupled ? 1.0 - rule.step_size * decay : 1.0;
    rule.l2 = decoupled ? 0.0 : decay;
    if (kind == UpdateKind::adam) {
      const auto t = static_cast<double>(*entry.step.data_ptr<std::int64_t>());
      rule.step_size /= 1.0 - std::pow(rule.beta1, t);
      rule.correction = 1.0 / std::sqrt(1.0 - std::pow(rule.beta2, t));
    }
    return rule;
  }

  /// The rule of each parameter for the step that follows, which is counted for those that take part.
  void prepare(double lr, double weight, const std::function<bool(const at::Tensor&)>& takes_part) {
    steps += 1;
    average_weight = weight;
    rules.assign(entries.size(), std::nullopt);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      Entry& entry = entries[i];
      if (takes_part(entry.parameter.value)) {
        *entry.step.data_ptr<std::int64_t>() += 1;
        rules[i] = rule(entry, lr);
      }
    }
    if (fused) {
      std::vector<UpdateRule> numbers;
      for (const auto& rule : rules) {
        numbers.push_back(rule.value_or(UpdateRule{}));
      }
      fused->prepare(numbers, average_weight);
    }
  }

  void launch(std::optional<double> max_norm, std::span<const Averaged> averages) {
    const torch::NoGradGuard no_grad;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      TORCH_CHECK(!rules.at(i) || entries[i].parameter.value.grad().defined(), "the parameter ",
                  entries[i].parameter.name, " has no gradient");
    }
    if (fused) {
      launch_fused(max_norm, averages);
      return;
    }
    if (max_norm) {
      clip_grad_norm(*max_norm);
    }
    update();
    move_averages(averages, average_weight);
  }

  void update() const {
    std::vector<Update> updates;
    std::vector<std::int64_t> sizes;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const Entry& entry = entries[i];
      const at::Tensor& value = entry.parameter.value;
      if (!rules[i]) {
        continue;
      }
      if (!has_cpu_kernel(value)) {
        reference_update(kind, *rules[i], value, value.grad(), entry.first, entry.second);
        continue;
      }
      const at::Tensor grad = in_order_of(value, value.grad());
      updates.push_back({*rules[i],
                         {value.data_ptr<float>(), grad.data_ptr<float>(),
                          entry.first.defined() ? entry.first.data_ptr<float>() : nullptr,
                          entry.second.defined() ? entry.second.data_ptr<float>() : nullptr, value.numel()},
                         grad});
      sizes.push_back(value.numel());
    }
    const auto kernel = optimizer_kernels(cpu_level()).update[static_cast<int>(kind)];
    parallel_slices(sizes, [&](std::size_t i, std::int64_t begin, std::int64_t end) {
      const UpdateSlice& all = updates[i].slice;
      kernel(updates[i].rule, {all.value + begin, all.grad + begin, all.first == nullptr ? nullptr : all.first + begin,
                               all.second == nullptr ? nullptr : all.second + begin, end - begin});
    });
  }

  void launch_fused(std::optional<double> max_norm, std::span<const Averaged> averages) const {
    std::vector<FusedTensor> tensors;
    std::unordered_map<const void*, std::size_t> by_address;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const at::Tensor& value = entries[i].parameter.value;
      const at::Tensor grad = rules[i] ? in_order_of(value, value.grad()) : at::Tensor();
      tensors.push_back({value, grad, entries[i].first, entries[i].second, {}});
      by_address.emplace(value.data_ptr(), i);
    }
    std::vector<Averaged> others;
    for (const auto& pair : averages) {
      const bool fits = is_plain(pair.value) && is_plain(pair.average) && same_order(pair.value, pair.average);
      const auto parameter = by_address.find(pair.value.data_ptr());
      if (!fits) {
        others.push_back(pair);
      } else if (parameter != by_address.end()) {
        tensors[parameter->second].average = pair.average;
      } else {
        tensors.push_back({pair.value, {}, {}, {}, pair.average});
      }
    }
    fused->launch(tensors, max_norm);
    move_averages(others, average_weight);
  }

  std::vector<at::Tensor> grads() const {
    std::vector<at::Tensor> result;
    for (const auto& entry : entries) {
      if (entry.parameter.value.grad().defined()) {
        result.push_back(entry.parameter.value.grad());
      }
    }
    return result;
  }

  double clip_grad_norm(double max_norm) const {
    const torch::NoGradGuard no_grad;
    const auto gradients = grads();
    const double norm = std::sqrt(sum_of_squares(gradients));
    const double scale = max_norm / (norm + 1e-6);
    if (!(scale >= 1.0)) {
      for (const auto& grad : gradients) {
        grad.mul_(scale);
      }
    }
    return norm;
  }

  NamedTensors state() const {
    const auto names = slot_names(kind);
    NamedTensors result;
    for (const auto& entry : entries) {
      const std::string prefix = entry.parameter.name + ".";
      if (kind == UpdateKind::adam) {
        result.emplace_back(prefix + "step", entry.step);
      }
      if (entry.first.defined()) {
        result.emplace_back(prefix + names[0], entry.first);
      }
      if (entry.second.defined()) {
        result.emplace_back(prefix + names[1], entry.second);
      }
    }
    return result;
  }
};

Optimizer::Optimizer(const OptimizerConfig& config, std::vector<OptimizedParameter> parameters)
    : Optimizer(config, parameters, has_fused_step(parameters) ? cuda::fused_optimizer : MakeFusedOptimizer()) {}
Optimizer::Optimizer(const OptimizerConfig& config, std::vector<OptimizedParameter> parameters,
                     const MakeFusedOptimizer& make_fused)
    : impl_(std::make_unique<Impl>(config, std::move(parameters), make_fused)) {}
Optimizer::~Optimizer() = default;

void Optimizer::step(double lr) {
  impl_->prepare(lr, 0.0, [](const at::Tensor& value) { return value.grad().defined(); });
  launch();
}

void Optimizer::prepare(double lr, double average_weight) {
  impl_->prepare(lr, average_weight, [](const at::Tensor& value) { return value.requires_grad(); });
}

void Optimizer::launch(std::optional<double> max_norm, std::span<const Averaged> averages) {
  RECORD_FUNCTION("effnetv2::optimizer_step", c10::ArrayRef<const c10::IValue>());
  impl_->launch(max_norm, averages);
}

void Optimizer::forget_captured() {
  if (impl_->fused) {
    impl_->fused->forget_captured();
  }
}

void Optimizer::zero_grad() {
  for (auto& entry : impl_->entries) {
    entry.parameter.value.mutable_grad().reset();
  }
}

double Optimizer::clip_grad_norm(double max_norm) {
  return impl_->clip_grad_norm(max_norm);
}

std::int64_t Optimizer::steps() const noexcept {
  return impl_->steps;
}
NamedTensors Optimizer::state() const {
  return impl_->state();
}

void Optimizer::load_state(const NamedTensors& state, std::int64_t steps) {
  if (steps < 0) {
    throw CheckpointError("the saved optimizer state: steps is " + std::to_string(steps) + ", must be 0 or more");
  }
  copy_tensors(impl_->state(), state, "the saved optimizer state");
  impl_->steps = steps;
}

std::vector<OptimizedParameter> optimized_parameters(const torch::nn::Module& module, const OptimizerConfig& config) {
  std::vector<OptimizedParameter> parameters;
  for (const auto& item : module.named_parameters()) {
    parameters.push_back({item.key(), item.value(), config.decay_norm_and_bias || item.value().dim() > 1, 1.0});
  }
  return parameters;
}

int optimizer_slots(const OptimizerConfig& config) {
  return update_slots(update_kind(config));
}

}  // namespace effnetv2
