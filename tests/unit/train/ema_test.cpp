#include "effnetv2/train/ema.h"

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>

#include "effnetv2/core/error.h"
#include "effnetv2/weights/state_dict.h"

namespace effnetv2 {
namespace {

struct Net : torch::nn::Module {
  explicit Net(std::int64_t channels = 8) {
    register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(3, channels, 3)));
    register_module("bn", torch::nn::BatchNorm2d(channels));
    register_buffer("half", at::zeros({3}, at::kDouble));
  }
};

/// New values everywhere, the same for equal seeds.
void shake(torch::nn::Module& net, int seed) {
  const torch::NoGradGuard no_grad;
  at::manual_seed(seed);
  for (const auto& [name, tensor] : state_dict(net)) {
    tensor.is_floating_point() ? tensor.normal_() : tensor.fill_(seed);
  }
}

EmaConfig config_of(double decay, bool warmup) {
  EmaConfig config;
  config.decay = decay;
  config.warmup = warmup;
  return config;
}

NamedTensors copies(const NamedTensors& tensors) {
  NamedTensors result;
  for (const auto& [name, tensor] : tensors) {
    result.emplace_back(name, tensor.detach().clone());
  }
  return result;
}

at::Tensor find(const NamedTensors& tensors, const std::string& name) {
  for (const auto& [own_name, tensor] : tensors) {
    if (own_name == name) {
      return tensor;
    }
  }
  ADD_FAILURE() << "no " << name;
  return {};
}

void expect_same_bits(const NamedTensors& a, const NamedTensors& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].first, b[i].first);
    const at::Tensor x = a[i].second.contiguous(), y = b[i].second.contiguous();
    ASSERT_EQ(x.nbytes(), y.nbytes());
    EXPECT_EQ(std::memcmp(x.data_ptr(), y.data_ptr(), x.nbytes()), 0) << a[i].first;
  }
}

TEST(Ema, BeginsAsACopyOfEverything) {
  Net net;
  shake(net, 1);
  Ema ema(config_of(0.9, true), net);
  expect_same_bits(ema.state(), state_dict(net));
  const NamedTensors before = copies(ema.state());
  shake(net, 2);
  expect_same_bits(ema.state(), before);
  EXPECT_EQ(ema.updates(), 0);
}

TEST(Ema, IsTheWeightedSumItsFormulaSays) {
  for (const bool warmup : {false, true}) {
    for (const double decay : {0.5, 0.99}) {
      Net net;
      shake(net, 0);
      Ema ema(config_of(decay, warmup), net);
      std::vector<at::Tensor> expected;
      for (const auto& [name, tensor] : state_dict(net)) {
        expected.push_back(tensor.detach().to(at::kDouble, /*non_blocking=*/false, /*copy=*/true));
      }
      for (int t = 0; t < 30; ++t) {
        shake(net, t + 1);
        ema.update(net);
        const double d = warmup ? std::min(decay, (1.0 + t) / (10.0 + t)) : decay;
        const auto values = state_dict(net);
        for (std::size_t i = 0; i < expected.size(); ++i) {
          const at::Tensor value = values[i].second.detach().to(at::kDouble);
          expected[i] = values[i].second.is_floating_point() ? d * expected[i] + (1.0 - d) * value : value;
        }
      }
      EXPECT_EQ(ema.updates(), 30);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        const auto& [name, average] = ema.state()[i];
        EXPECT_TRUE(at::allclose(average.to(at::kDouble), expected[i], 1e-6, 1e-6)) << name;
      }
    }
  }
}

TEST(Ema, WarmupTakesNineTenthsOfTheFirstUpdate) {
  Net net;
  {
    const torch::NoGradGuard no_grad;
    for (const auto& [name, tensor] : state_dict(net)) {
      tensor.zero_();
    }
  }
  Ema ema(config_of(0.999, true), net);
  for (const auto& [name, tensor] : state_dict(net)) {
    tensor.detach().fill_(1);
  }
  ema.update(net);
  for (const auto& [name, average] : ema.state()) {
    const double expected = average.is_floating_point() ? 0.9 : 1.0;
    EXPECT_NEAR(average.max().item<double>(), expected, 1e-7) << name;
    EXPECT_NEAR(average.min().item<double>(), expected, 1e-7) << name;
  }
}

TEST(Ema, IntegerBuffersAreCopied) {
  Net net;
  Ema ema(config_of(0.999, false), net);
  const at::Tensor counter = net.named_buffers()["bn.num_batches_tracked"];
  counter.fill_(1234567);
  ema.update(net);
  for (const auto& [name, average] : ema.state()) {
    if (name == "bn.num_batches_tracked") {
      EXPECT_EQ(average.scalar_type(), at::kLong);
      EXPECT_EQ(average.item<std::int64_t>(), 1234567);
    }
  }
}

TEST(Ema, SwapIsExactAndItsOwnInverse) {
  Net net;
  net.to(at::kFloat);
  net.named_parameters()["conv.weight"].set_data(
      net.named_parameters()["conv.weight"].contiguous(at::MemoryFormat::ChannelsLast));
  shake(net, 3);
  Ema ema(config_of(0.9, true), net);
  shake(net, 4);
  ema.update(net);
  {
    const torch::NoGradGuard no_grad;
    net.named_parameters()["conv.bias"][0] = std::numeric_limits<float>::quiet_NaN();
    net.named_parameters()["conv.bias"][1] = -0.0f;
  }
  const NamedTensors own = copies(state_dict(net)), average = copies(ema.state());
  const NamedTensors aliases = state_dict(net);
  ema.swap(net);
  expect_same_bits(state_dict(net), average);
  expect_same_bits(ema.state(), own);
  expect_same_bits(aliases, average);
  ema.swap(net);
  expect_same_bits(state_dict(net), own);
  expect_same_bits(ema.state(), average);
  EXPECT_TRUE(net.named_parameters()["conv.weight"].is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_TRUE(find(ema.state(), "conv.weight").is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_TRUE(net.named_parameters()["conv.weight"].requires_grad());
}

TEST(Ema, FollowsAModuleWhoseStridesChanged) {
  Net net;
  shake(net, 5);
  Ema ema(config_of(0.5, false), net);
  const at::Tensor before = find(ema.state(), "conv.weight").clone();
  net.named_parameters()["conv.weight"].set_data(
      net.named_parameters()["conv.weight"].contiguous(at::MemoryFormat::ChannelsLast));
  shake(net, 6);
  ema.update(net);
  const at::Tensor expected = (before + net.named_parameters()["conv.weight"].detach()) / 2;
  EXPECT_TRUE(at::allclose(find(ema.state(), "conv.weight"), expected, 1e-6, 1e-7));
}

TEST(Ema, GivesTheSameBitsForAnyThreadCount) {
  const auto average_of = [](int threads) {
    const int before = at::get_num_threads();
    at::set_num_threads(threads);
    Net net(4001);
    shake(net, 1);
    Ema ema(config_of(0.99, true), net);
    for (int i = 2; i < 5; ++i) {
      shake(net, i);
      ema.update(net);
    }
    at::set_num_threads(before);
    return copies(ema.state());
  };
  const auto one = average_of(1);
  expect_same_bits(average_of(2), one);
  expect_same_bits(average_of(3), one);
}

TEST(Ema, GoesOnExactlyFromSavedState) {
  Net net;
  shake(net, 1);
  Ema whole(config_of(0.99, true), net), first(config_of(0.99, true), net);
  shake(net, 2);
  whole.update(net);
  first.update(net);
  Ema second(config_of(0.99, true), net);
  second.load_state(copies(first.state()), first.updates());
  shake(net, 3);
  whole.update(net);
  second.update(net);
  EXPECT_EQ(second.updates(), 2);
  expect_same_bits(second.state(), whole.state());
}

TEST(Ema, StateThatDoesNotFitIsRefused) {
  Net net, wide(16);
  Ema ema(config_of(0.9, true), net);
  try {
    ema.load_state(state_dict(wide), 3);
    FAIL();
  } catch (const CheckpointError& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("conv.weight has [16, 3, 3, 3], expected [8, 3, 3, 3]"));
  }
  EXPECT_THROW(ema.load_state(copies(ema.state()), -1), CheckpointError);
  EXPECT_EQ(ema.updates(), 0);
}

}  // namespace
}  // namespace effnetv2
