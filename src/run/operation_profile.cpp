#include "effnetv2/run/operation_profile.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <numeric>
#include <string_view>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <ATen/record_function.h>
#include <nlohmann/json.hpp>

#include "effnetv2/ops/cuda_device.h"

namespace effnetv2 {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Recorder {
  std::map<std::string, OperationCost> costs;
  std::vector<double> nested;         ///< seconds in operations called by each one under way
  const QueueClock* clock = nullptr;  ///< of the card, if the work is there
  std::vector<OperationCost*> timed;  ///< whose work is between each of its begins and ends
};
/// While a profile is taken. The backward pass on a card has a thread of its own, but the two take turns.
Recorder* recorder = nullptr;

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
  if (recorder->clock != nullptr && std::string_view(function.name()).starts_with("autograd::engine::")) {
    return nullptr;  // around the operations of the backward pass, and none itself
  }
  const bool outermost = recorder->nested.empty();
  recorder->nested.push_back(0.0);
  auto call = std::make_unique<Call>();
  call->inputs = tensors_of(function.inputs());
  if (recorder->clock != nullptr && outermost) {
    recorder->clock->begin();
  }
  call->start = Clock::now();
  return call;
}

/// Counts a call whose time is not known yet, with the work it stands for.
OperationCost& count(const at::RecordFunction& function, const std::vector<at::Tensor>& inputs) {
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
  cost.flops += flops;
  for (const auto* side : {&inputs, &outputs}) {
    for (const at::Tensor& tensor : *side) {
      cost.bytes += static_cast<double>(tensor.numel()) * static_cast<double>(tensor.element_size());
    }
  }
  return cost;
}

void end(const at::RecordFunction& function, at::ObserverContext* context) {
  if (recorder == nullptr || context == nullptr) {
    return;
  }
  const auto& inputs = static_cast<Call*>(context)->inputs;
  const double seconds = seconds_since(static_cast<Call*>(context)->start);
  const double own = seconds - recorder->nested.back();
  recorder->nested.pop_back();
  if (recorder->clock == nullptr) {
    if (!recorder->nested.empty()) {
      recorder->nested.back() += seconds;
    }
    count(function, inputs).milliseconds += own * 1e3;
  } else if (recorder->nested.empty()) {
    recorder->clock->end();
    recorder->timed.push_back(&count(function, inputs));
  }
}

/// Runs `steps` steps with `mine` looking on.
void record(Recorder& mine, at::RecordFunctionCallback callback, const std::function<void(std::int64_t)>& step,
            std::int64_t steps) {
  const auto handle = at::addThreadLocalCallback(callback.needsInputs(true).needsOutputs(true));
  struct Stop {
    at::CallbackHandle handle;
    ~Stop() {
      recorder = nullptr;
      at::removeCallback(handle);
    }
  } const stop{handle};
  recorder = &mine;
  for (std::int64_t i = 0; i < steps; ++i) {
    step(i);
  }
}

/// Per step, the dearest first.
std::vector<OperationCost> shared_out(const std::map<std::string, OperationCost>& costs, std::int64_t steps) {
  std::vector<OperationCost> result;
  for (auto [name, cost] : costs) {
    const auto n = static_cast<double>(steps);
    cost.calls /= n;
    cost.milliseconds /= n;
    cost.flops /= n;
    cost.bytes /= n;
    result.push_back(cost);
  }
  std::ranges::sort(result, std::greater(), &OperationCost::milliseconds);
  return result;
}

double milliseconds_of(const std::map<std::string, OperationCost>& costs) {
  return std::accumulate(costs.begin(), costs.end(), 0.0,
                         [](double sum, const auto& cost) { return sum + cost.second.milliseconds; });
}

void add_rest(std::map<std::string, OperationCost>& costs, double milliseconds) {
  costs["(between operations)"] = {"(between operations)", 0.0, milliseconds, 0.0, 0.0};
}

/// The best of a few runs, as units per second.
double best_rate(double units, at::Device device, const std::function<void()>& work) {
  work();
  double best = 0.0;
  for (int i = 0; i < 5; ++i) {
    double seconds = 0.0;
    if (device.is_cuda()) {
      CudaStopwatch watch(device.index());
      watch.mark();
      work();
      watch.mark();
      seconds = watch.milliseconds().front() / 1e3;
    } else {
      const auto start = Clock::now();
      work();
      seconds = seconds_since(start);
    }
    best = std::max(best, units / seconds);
  }
  return best;
}

/// On random numbers: zeros are faster.
double matrix_rate(at::Device device, at::ScalarType dtype) {
  if (device.is_cuda()) {
    constexpr std::int64_t kSize = 8192;
    const auto options = at::TensorOptions().device(device).dtype(dtype);
    const at::Tensor left = at::randn({kSize, kSize}, options), right = at::randn({kSize, kSize}, options);
    at::Tensor product = at::empty({kSize, kSize}, options);
    return best_rate(2.0 * kSize * kSize * kSize, device, [&] { at::matmul_out(product, left, right); });
  }
  constexpr std::int64_t kSize = 1024;
  // as a 1x1 convolution, which oneDNN multiplies faster than BLAS does
  const at::Tensor x = at::rand({16, kSize, 16, 16}).to(dtype).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor weight = at::rand({kSize, kSize, 1, 1}).to(dtype).contiguous(at::MemoryFormat::ChannelsLast);
  return best_rate(2.0 * 16 * 256 * kSize * kSize, device, [&] { at::conv2d(x, weight); });
}

}  // namespace

std::vector<OperationCost> profile_operations(const std::function<void(std::int64_t)>& step, std::int64_t steps) {
  Recorder mine;
  const auto start = Clock::now();
  record(mine, at::RecordFunctionCallback(begin, end), step, steps);
  add_rest(mine.costs, seconds_since(start) * 1e3 - milliseconds_of(mine.costs));
  return shared_out(mine.costs, steps);
}

QueueClock card_clock(int device) {
  const auto watch = std::make_shared<CudaStopwatch>(device);
  return {[=] {
            cuda_keep_busy(device);
            watch->mark();
          },
          [=] { watch->mark(); },
          [=] {
            const auto all = watch->milliseconds();  // every other one is between an end and the next begin
            std::vector<double> pairs;
            for (std::size_t i = 0; i < all.size(); i += 2) {
              pairs.push_back(all[i]);
            }
            return pairs;
          }};
}

std::vector<OperationCost> profile_queued_operations(const std::function<void(std::int64_t)>& step, std::int64_t steps,
                                                     const QueueClock& clock, double step_ms) {
  // what two marks take with nothing between them, which is no operation's time
  constexpr std::ptrdiff_t kEmpty = 15;
  for (std::ptrdiff_t i = 0; i < kEmpty; ++i) {
    clock.begin();
    clock.end();
  }
  Recorder mine;
  mine.clock = &clock;
  // operations alone, not the nodes of the backward pass around several of them
  record(mine, at::RecordFunctionCallback(begin, end).scopes({at::RecordScope::FUNCTION}), step, steps);
  auto times = clock.milliseconds();
  std::nth_element(times.begin(), times.begin() + kEmpty / 2, times.begin() + kEmpty);
  const double empty = times[kEmpty / 2];
  for (std::size_t i = 0; i < mine.timed.size(); ++i) {
    mine.timed[i]->milliseconds += std::max(0.0, times[static_cast<std::size_t>(kEmpty) + i] - empty);
  }
  add_rest(mine.costs, std::max(0.0, step_ms * static_cast<double>(steps) - milliseconds_of(mine.costs)));
  return shared_out(mine.costs, steps);
}

Ceilings measure_ceilings(const std::string& name) {
  const at::NoGradGuard no_grad;
  const at::Device device(name);
  // far more than any cache holds
  const std::int64_t numbers = std::int64_t{1} << (device.is_cuda() ? 27 : 25);
  const at::Tensor from = at::rand({numbers}, at::TensorOptions().device(device)), to = at::empty_like(from);
  const double bytes = 2.0 * static_cast<double>(numbers) * 4.0;
  return {matrix_rate(device, at::kFloat), matrix_rate(device, at::kBFloat16),
          best_rate(bytes, device, [&] { to.copy_(from); })};
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
