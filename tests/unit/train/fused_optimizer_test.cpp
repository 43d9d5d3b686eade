// The step of a card, its kernels run on the CPU, beside the CPU's own.
#define EFFNETV2_CUDA_NAMESPACE cuda_emulated
#include "effnetv2/ops/fused_optimizer.h"

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>

#include "effnetv2/ops/cuda_device.h"
#include "effnetv2/train/optimizer.h"

#include "cuda_host/emulator.h"

namespace effnetv2 {
namespace {

struct Case {
  std::string name;
  OptimizerType type = OptimizerType::adam;
  double momentum = 0.0, weight_decay = 0.0;
  bool nesterov = false;
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

OptimizerConfig config_of(const Case& c) {
  OptimizerConfig config;
  config.type = c.type;
  config.momentum = c.momentum;
  config.weight_decay = c.weight_decay;
  config.nesterov = c.nesterov;
  return config;
}

/// Parameters and statistics of a network, with averages of them all.
struct Network {
  std::vector<OptimizedParameter> parameters;
  std::vector<Averaged> averages;

  at::Device device;

  explicit Network(at::Device device_) : device(device_) {
    at::manual_seed(3);
    std::vector<at::Tensor> values{
        at::randn({8, 3, 3, 3}).contiguous(at::MemoryFormat::ChannelsLast),
        at::randn({33}),
        at::randn({10, 47}).t(),
        at::randn({}),
        at::randn({0, 3}),
        at::randn({4101}),
        at::randn({3, 4096}),
    };
    for (const auto& drawn : values) {
      const auto i = parameters.size();
      // one of them at an address that is no multiple of 16 bytes
      at::Tensor value = at::empty({drawn.numel() + 1}, device)
                             .as_strided(drawn.sizes(), drawn.strides(), i == 5 ? 1 : 0)
                             .copy_(drawn);
      parameters.push_back({"p" + std::to_string(i), value.requires_grad_(), i % 3 != 1, i % 4 == 2 ? 0.1 : 1.0});
      average(value);
    }
    average(at::randn({17}).to(device));
    average(at::randn({5}, at::kDouble).to(device));
    average(at::zeros({}, at::kLong).to(device));
  }

  void average(const at::Tensor& value) {
    averages.push_back({value.detach().clone(at::MemoryFormat::Preserve), value.detach()});
  }

  /// What a step finds: gradients in a layout of their own at times, statistics moved.
  void next(int step) {
    at::manual_seed(static_cast<std::uint64_t>(step));
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      at::Tensor& value = parameters[i].value;
      value.requires_grad_(i != 1 || step > 4);  // frozen at first
      value.mutable_grad().reset();
      const at::Tensor grad = at::randn(value.sizes()).to(device);
      if (value.requires_grad()) {
        value.mutable_grad() = step % 2 == 0 ? at::empty_like(value.detach()).copy_(grad) : grad;
      }
    }
    for (std::size_t i = parameters.size(); i < averages.size(); ++i) {
      const at::Tensor& value = averages[i].value;
      value.is_floating_point() ? value.copy_(at::randn(value.sizes())) : value.add_(1);
    }
  }
};

void expect_near(const at::Tensor& a, const at::Tensor& b, const std::string& what) {
  EXPECT_TRUE(at::allclose(a.to(at::kCPU), b, 1e-5, 1e-6)) << what;
}

struct Outcome {
  Network network;
  NamedTensors state;
};

/// Twelve steps. make: none for what the device has.
Outcome run(const OptimizerConfig& config, std::optional<double> max_norm, const MakeFusedOptimizer& make = {},
            at::Device device = at::kCPU) {
  Outcome result{Network(device), {}};
  Network& network = result.network;
  Optimizer optimizer = make ? Optimizer(config, network.parameters, make) : Optimizer(config, network.parameters);
  for (int step = 1; step <= 12; ++step) {
    network.next(step);
    optimizer.prepare(0.02 / step, 1.0 / step);
    optimizer.launch(max_norm, network.averages);
  }
  EXPECT_EQ(optimizer.steps(), 12);
  result.state = optimizer.state();
  return result;
}

void expect_near(const Outcome& got, const Outcome& expected) {
  for (std::size_t i = 0; i < got.network.parameters.size(); ++i) {
    expect_near(got.network.parameters[i].value, expected.network.parameters[i].value,
                "parameter " + std::to_string(i));
  }
  for (std::size_t i = 0; i < got.network.averages.size(); ++i) {
    expect_near(got.network.averages[i].average, expected.network.averages[i].average, "average " + std::to_string(i));
  }
  ASSERT_EQ(got.state.size(), expected.state.size());
  for (std::size_t i = 0; i < got.state.size(); ++i) {
    EXPECT_EQ(got.state[i].first, expected.state[i].first);
    expect_near(got.state[i].second, expected.state[i].second, got.state[i].first);
  }
}

const std::vector<std::optional<double>> kNorms{std::nullopt, 1.0, 1e6};

class FusedOptimizerRule : public testing::TestWithParam<Case> {};

TEST_P(FusedOptimizerRule, IsTheCpus) {
  for (const auto max_norm : kNorms) {
    SCOPED_TRACE(max_norm.value_or(0.0));
    const auto config = config_of(GetParam());
    expect_near(run(config, max_norm, cuda_emulated::fused_optimizer), run(config, max_norm));
  }
}

TEST_P(FusedOptimizerRule, IsTheCpusOnACard) {
  if (!cuda_kernels_built() || !torch::cuda::is_available()) {
    GTEST_SKIP() << "needs a card and a build with CUDA";
  }
  for (const auto max_norm : kNorms) {
    SCOPED_TRACE(max_norm.value_or(0.0));
    const auto config = config_of(GetParam());
    expect_near(run(config, max_norm, {}, at::kCUDA), run(config, max_norm));
  }
}

TEST_P(FusedOptimizerRule, GivesTheSameBitsTwice) {
  const auto config = config_of(GetParam());
  const Outcome a = run(config, 0.5, cuda_emulated::fused_optimizer),
                b = run(config, 0.5, cuda_emulated::fused_optimizer);
  for (std::size_t i = 0; i < a.network.averages.size(); ++i) {
    EXPECT_TRUE(at::equal(a.network.averages[i].value, b.network.averages[i].value));
    EXPECT_TRUE(at::equal(a.network.averages[i].average, b.network.averages[i].average));
  }
}

INSTANTIATE_TEST_SUITE_P(All, FusedOptimizerRule,
                         testing::Values(Case{"adam"}, Case{"adam_decay", OptimizerType::adam, 0.0, 0.1},
                                         Case{"adamw", OptimizerType::adamw, 0.0, 0.3}, Case{"sgd", OptimizerType::sgd},
                                         Case{"momentum", OptimizerType::sgd, 0.9, 0.1},
                                         Case{"nesterov", OptimizerType::sgd, 0.9, 0.1, true},
                                         Case{"rmsprop", OptimizerType::rmsprop, 0.0, 0.1},
                                         Case{"rmsprop_momentum", OptimizerType::rmsprop, 0.9}),
                         [](const auto& rule) { return rule.param.name; });

TEST(FusedOptimizer, ANormThatIsNoNumberSpreads) {
  Network network(at::kCPU);
  Optimizer optimizer({}, network.parameters, cuda_emulated::fused_optimizer);
  network.next(9);
  network.parameters[0].value.mutable_grad().view(-1)[5] = std::numeric_limits<float>::quiet_NaN();
  optimizer.prepare(0.1);
  optimizer.launch(1.0);
  for (const auto& parameter : network.parameters) {
    EXPECT_TRUE(at::isnan(parameter.value).all().item<bool>()) << parameter.name;
  }
}

TEST(FusedOptimizer, ACapturedLaunchTakesMemoryOfTheOneBefore) {
  struct Capture {
    Capture() { cuda_host::capturing = true; }
    ~Capture() { cuda_host::capturing = false; }
  };
  Network captured(at::kCPU), plain(at::kCPU);
  Optimizer a({}, captured.parameters, cuda_emulated::fused_optimizer);
  Optimizer b({}, plain.parameters, cuda_emulated::fused_optimizer);
  for (int step = 1; step <= 9; ++step) {
    captured.next(step);
    plain.next(step);
    a.prepare(0.1, 0.5);
    if (step == 1) {
      const Capture capture;
      EXPECT_THROW(a.launch(1.0, captured.averages), c10::Error);
    }
    if (step % 3 == 0) {
      const Capture capture;
      a.launch(1.0, captured.averages);
    } else {
      a.forget_captured();
      a.launch(1.0, captured.averages);
    }
    b.prepare(0.1, 0.5);
    b.launch(1.0, plain.averages);
    for (std::size_t i = 0; i < plain.averages.size(); ++i) {
      EXPECT_TRUE(at::equal(captured.averages[i].average, plain.averages[i].average)) << step << ", " << i;
    }
  }
}

TEST(FusedOptimizer, AParameterThatWasPreparedNeedsItsGradient) {
  Network network(at::kCPU);
  Optimizer optimizer({}, network.parameters, cuda_emulated::fused_optimizer);
  network.next(9);
  optimizer.prepare(0.1);
  network.parameters[2].value.mutable_grad().reset();
  const at::Tensor before = network.parameters[0].value.detach().clone();
  EXPECT_THROW(optimizer.launch(), c10::Error);
  EXPECT_TRUE(at::equal(network.parameters[0].value, before));
}

}  // namespace
}  // namespace effnetv2
