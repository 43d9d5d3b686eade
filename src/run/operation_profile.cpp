#include "effnetv2/run/operation_profile.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <ATen/record_function.h>
#include <nlohmann/json.hpp>

namespace effnetv2 {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Of the calling thread, while a profile is taken.
struct Recorder {
  std::map<std::string, OperationCost> costs;
  std::vector<double> nested;  ///< seconds in operations called by each one under way
};
thread_local Recorder* recorder = nullptr;

template <typename Values>
std::vector<at::Tensor> tensors_of(const Values& values) {
  std::vector<at::Tensor> tensors;
  for (const auto& value : values) {
    if (value.isTensor() && value.toTensor().defined()) {
      tensors.push_back(value.toTensor());
    } else if (value.isTensorList()) {
      for (const at::Tensor& one : value.toTensorVector()) {
        tensors.push_back(one);
      }
    }
  }
  return tensors;
}

bool ends_with_any(const std::string& name, std::initializer_list<const char*> endings) {
  return std::ranges::any_of(endings, [&](const char* ending) { return name.ends_with(ending); });
}

/// "aten::conv2d" with a weight of [O, C, 3, 3] is "aten::conv2d 3x3".
void name_filter(std::string& name, const at::Tensor& weight) {
  name += ' ';
  name += std::to_string(weight.size(2));
  name += 'x';
  name += std::to_string(weight.size(3));
  if (weight.size(1) == 1) {
    name += " depthwise";
  }
}

/// Arithmetic of what is known to be bound by it; names convolutions after their filter.
double flops_of(std::string& name, const std::vector<at::Tensor>& inputs) {
  const auto map = [](const at::Tensor& x) { return static_cast<double>(x.size(0) * x.size(2) * x.size(3)); };
  const bool backward = name.ends_with("convolution_backward") || name.find("conv_grad") != std::string::npos ||
                        name.find("conv_depthwise_grad") != std::string::npos;
  if (backward && inputs.size() >= 3 && inputs[2].dim() == 4) {
    // grad, x, weight
    name_filter(name, inputs[2]);
    const double both = name.find("grad_") == std::string::npos ? 2.0 : 1.0;
    return both * 2.0 * map(inputs[0]) * static_cast<double>(inputs[2].numel());
  }
  if (name.find("conv") != std::string::npos && inputs.size() >= 2 && inputs[0].dim() == 4 && inputs[1].dim() == 4) {
    // x, weight; the stride is not looked up: maps are counted by what comes out, see below
    name_filter(name, inputs[1]);
    return -2.0 * static_cast<double>(inputs[1].numel());
  }
  if (ends_with_any(name, {"::mm", "::addmm", "::linear"}) && inputs.size() >= 2) {
    const at::Tensor& right = inputs.back();
    const at::Tensor& left = inputs[inputs.size() - 2];
    return left.dim() == 2 && right.dim() == 2 ? 2.0 * static_cast<double>(left.size(0) * left.size(1) * right.size(1))
                                               : 0.0;
  }
  return 0.0;
}

struct Call : at::ObserverContext {
  std::vector<at::Tensor> inputs;  ///< which LibTorch lets go of before the end
  Clock::time_point start;
};

std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& function) {
  if (recorder == nullptr) {
    return nullptr;
  }
  recorder->nested.push_back(0.0);
  auto call = std::make_unique<Call>();
  call->inputs = tensors_of(function.inputs());
  call->start = Clock::now();
  return call;
}

void end(const at::RecordFunction& function, at::ObserverContext* context) {
  if (recorder == nullptr || context == nullptr) {
    return;
  }
  const auto& inputs = static_cast<Call*>(context)->inputs;
  const double seconds = seconds_since(static_cast<Call*>(context)->start);
  const double own = seconds - recorder->nested.back();
  recorder->nested.pop_back();
  if (!recorder->nested.empty()) {
    recorder->nested.back() += seconds;
  }
  const auto outputs = tensors_of(function.outputs());
  std::string name = function.name();
  double flops = flops_of(name, inputs);
  if (flops < 0.0) {
    const at::Tensor& map = outputs.empty() ? inputs[0] : outputs[0];  // ours tell no outputs
    flops *= map.dim() == 4 ? -static_cast<double>(map.size(0) * map.size(2) * map.size(3)) : 0.0;
  }
  OperationCost& cost = recorder->costs[name];
  cost.name = name;
  cost.calls += 1.0;
  cost.milliseconds += own * 1e3;
  cost.flops += flops;
  for (const auto* side : {&inputs, &outputs}) {
    for (const at::Tensor& tensor : *side) {
      cost.bytes += static_cast<double>(tensor.numel()) * static_cast<double>(tensor.element_size());
    }
  }
}

/// The best of a few runs, as units per second.
double best_rate(double units, const std::function<void()>& work) {
  work();
  double best = 0.0;
  for (int i = 0; i < 5; ++i) {
    const auto start = Clock::now();
    work();
    best = std::max(best, units / seconds_since(start));
  }
  return best;
}

double matrix_rate(at::ScalarType dtype) {
  constexpr std::int64_t kSize = 1024;
  // as a 1x1 convolution, which oneDNN multiplies faster than BLAS does
  const at::Tensor x = at::rand({16, kSize, 16, 16}).to(dtype).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor weight = at::rand({kSize, kSize, 1, 1}).to(dtype).contiguous(at::MemoryFormat::ChannelsLast);
  return best_rate(2.0 * 16 * 256 * kSize * kSize, [&] { at::conv2d(x, weight); });
}

}  // namespace

std::vector<OperationCost> profile_operations(const std::function<void(std::int64_t)>& step, std::int64_t steps) {
  Recorder mine;
  const auto handle =
      at::addThreadLocalCallback(at::RecordFunctionCallback(begin, end).needsInputs(true).needsOutputs(true));
  recorder = &mine;
  const auto start = Clock::now();
  for (std::int64_t i = 0; i < steps; ++i) {
    step(i);
  }
  const double whole = seconds_since(start) * 1e3;
  recorder = nullptr;
  at::removeCallback(handle);
  std::vector<OperationCost> costs;
  double known = 0.0;
  for (auto& [name, cost] : mine.costs) {
    known += cost.milliseconds;
    costs.push_back(cost);
  }
  costs.push_back({"(between operations)", 0.0, whole - known, 0.0, 0.0});
  for (OperationCost& cost : costs) {
    const auto n = static_cast<double>(steps);
    cost.calls /= n;
    cost.milliseconds /= n;
    cost.flops /= n;
    cost.bytes /= n;
  }
  std::ranges::sort(costs, std::greater(), &OperationCost::milliseconds);
  return costs;
}

Ceilings measure_ceilings() {
  const at::NoGradGuard no_grad;
  const at::Tensor from = at::rand({std::int64_t{1} << 25}), to = at::empty_like(from);
  const double bytes = 2.0 * static_cast<double>(from.numel()) * 4.0;
  return {matrix_rate(at::kFloat), matrix_rate(at::kBFloat16), best_rate(bytes, [&] { to.copy_(from); })};
}

nlohmann::ordered_json to_json(const std::vector<OperationCost>& costs, const Ceilings& ceilings, bool bf16) {
  double whole = 0.0;
  for (const auto& cost : costs) {
    whole += cost.milliseconds;
  }
  auto operations = nlohmann::ordered_json::array();
  for (const auto& cost : costs) {
    const double seconds = std::max(cost.milliseconds, 1e-9) / 1e3;
    const double arithmetic = cost.flops / seconds, memory = cost.bytes / seconds;
    const double most = bf16 ? ceilings.bf16_flops_per_second : ceilings.flops_per_second;
    operations.push_back({{"name", cost.name},
                          {"calls", cost.calls},
                          {"ms", cost.milliseconds},
                          {"share", cost.milliseconds / whole},
                          {"gflops_per_second", arithmetic / 1e9},
                          {"gbytes_per_second", memory / 1e9},
                          {"share_of_ceiling", std::max(arithmetic / most, memory / ceilings.bytes_per_second)}});
  }
  return {{"ceilings",
           {{"gflops_per_second", ceilings.flops_per_second / 1e9},
            {"bf16_gflops_per_second", ceilings.bf16_flops_per_second / 1e9},
            {"gbytes_per_second", ceilings.bytes_per_second / 1e9}}},
          {"operations", operations}};
}

}  // namespace effnetv2
