#include "effnetv2/train/ema.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <torch/utils.h>

#include "effnetv2/core/cpu_features.h"
#include "effnetv2/core/error.h"
#include "effnetv2/ops/optimizer_kernels.h"
#include "effnetv2/weights/state_dict.h"

#include "parallel_slices.h"

namespace effnetv2 {
namespace {

bool has_kernel(const at::Tensor& average, const at::Tensor& value) {
  return has_cpu_kernels() && average.is_cpu() && average.scalar_type() == at::kFloat && value.is_cpu() &&
         value.scalar_type() == at::kFloat && value.is_non_overlapping_and_dense() &&
         average.strides() == value.strides();
}

}  // namespace

void move_averages(std::span<const Averaged> averages, double weight) {
  const torch::NoGradGuard no_grad;
  struct Stretch {
    float* average;
    const float* value;
  };
  std::vector<Stretch> stretches;
  std::vector<std::int64_t> sizes;
  for (const auto& [average, value] : averages) {
    if (!average.is_floating_point()) {
      average.copy_(value);
    } else if (has_kernel(average, value)) {
      stretches.push_back({average.data_ptr<float>(), value.data_ptr<float>()});
      sizes.push_back(average.numel());
    } else {
      reference_lerp(average, value, weight);
    }
  }
  const auto lerp = optimizer_kernels(cpu_level()).lerp;
  parallel_slices(sizes, [&](std::size_t i, std::int64_t begin, std::int64_t end) {
    lerp(stretches[i].average + begin, stretches[i].value + begin, weight, end - begin);
  });
}

Ema::Ema(const EmaConfig& config, const torch::nn::Module& module) : config_(config) {
  const torch::NoGradGuard no_grad;
  for (const auto& [name, value] : state_dict(module)) {
    average_.emplace_back(name, value.detach().clone(at::MemoryFormat::Preserve));
  }
}

double Ema::next_weight() {
  const auto t = static_cast<double>(updates_++);
  return 1.0 - (config_.warmup ? std::min(config_.decay.value(), (1.0 + t) / (10.0 + t)) : config_.decay.value());
}

std::vector<Averaged> Ema::follows(const torch::nn::Module& module) const {
  const NamedTensors values = state_dict(module);
  std::vector<Averaged> pairs;
  pairs.reserve(average_.size());
  for (std::size_t i = 0; i < average_.size(); ++i) {
    pairs.push_back({average_[i].second, values.at(i).second});
  }
  return pairs;
}

void Ema::load_state(const NamedTensors& state, std::int64_t updates) {
  if (updates < 0) {
    throw CheckpointError("the saved EMA: updates is " + std::to_string(updates) + ", must be 0 or more");
  }
  copy_tensors(average_, state, "the saved EMA");
  updates_ = updates;
}

void Ema::swap(torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  const NamedTensors values = state_dict(module);
  for (std::size_t i = 0; i < average_.size(); ++i) {
    const at::Tensor& value = values.at(i).second;
    const at::Tensor kept = value.clone(at::MemoryFormat::Preserve);
    value.copy_(average_[i].second);
    average_[i].second.copy_(kept);
  }
}

}  // namespace effnetv2
