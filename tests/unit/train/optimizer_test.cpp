#include "effnetv2/train/optimizer.h"

#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>

#include "effnetv2/core/error.h"

namespace effnetv2 {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

/// A weight of every layout that a network has.
std::vector<at::Tensor> some_values(at::ScalarType dtype = at::kFloat) {
  at::manual_seed(11);
  const auto options = at::TensorOptions().dtype(dtype);
  return {
      at::randn({8, 3, 3, 3}, options).contiguous(at::MemoryFormat::ChannelsLast),
      at::randn({16, 1, 3, 3}, options).contiguous(at::MemoryFormat::ChannelsLast),
      at::randn({24, 8, 1, 1}, options).contiguous(at::MemoryFormat::ChannelsLast),
      at::randn({5, 7, 3, 2}, options),
      at::randn({33}, options),
      at::randn({10, 47}, options).t(),
      at::randn({}, options),
      at::randn({0, 3}, options),
      at::randn({6, 10}, options).slice(1, 0, 7),  // not dense
  };
}

std::vector<at::Tensor> leaves(const std::vector<at::Tensor>& values) {
  std::vector<at::Tensor> result;
  for (const auto& value : values) {
    // as_strided keeps even strides that are not dense
    at::Tensor storage = at::zeros({1000}, value.options());
    at::Tensor leaf = storage.as_strided(value.sizes(), value.strides());
    leaf.copy_(value);
    result.push_back(leaf.detach().requires_grad_());
  }
  return result;
}

std::vector<OptimizedParameter> named(const std::vector<at::Tensor>& values) {
  std::vector<OptimizedParameter> parameters;
  for (const auto& value : values) {
    parameters.push_back({std::string("p").append(std::to_string(parameters.size())), value, true, 1.0});
  }
  return parameters;
}

at::Tensor random_grad(const at::Tensor& value) {
  return at::randn(value.sizes(), value.options().requires_grad(false));
}

void expect_equal(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].numel() > 0) {
      EXPECT_LE(((a[i] - b[i]).abs() / b[i].abs().clamp_min(1.0)).max().item<double>(), tolerance) << "parameter " << i;
    }
  }
}

struct Case {
  std::string name;
  OptimizerConfig config;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  const auto add = [&](const std::string& name, OptimizerType type, const std::function<void(OptimizerConfig&)>& edit) {
    OptimizerConfig config;
    config.type = type;
    edit(config);
    all.push_back({name, config});
  };
  add("adam", OptimizerType::adam, [](auto&) {});
  add("adam_decay", OptimizerType::adam, [](auto& c) { c.weight_decay = 0.1; });
  add("adam_betas_eps", OptimizerType::adam, [](auto& c) {
    c.betas = {0.5, 0.9};
    c.eps = 1e-3;
  });
  add("adam_betas_zero", OptimizerType::adam, [](auto& c) { c.betas = {0.0, 0.99}; });
  add("adamw", OptimizerType::adamw, [](auto&) {});
  add("adamw_decay", OptimizerType::adamw, [](auto& c) { c.weight_decay = 0.3; });
  add("sgd", OptimizerType::sgd, [](auto& c) { c.momentum = 0.0; });
  add("sgd_decay", OptimizerType::sgd, [](auto& c) {
    c.momentum = 0.0;
    c.weight_decay = 0.1;
  });
  add("sgd_momentum", OptimizerType::sgd, [](auto& c) { c.weight_decay = 0.1; });
  add("sgd_nesterov", OptimizerType::sgd, [](auto& c) {
    c.nesterov = true;
    c.weight_decay = 0.1;
  });
  add("rmsprop", OptimizerType::rmsprop, [](auto& c) { c.momentum = 0.0; });
  add("rmsprop_momentum", OptimizerType::rmsprop, [](auto& c) {
    c.weight_decay = 0.1;
    c.alpha = 0.9;
    c.eps = 1e-3;
  });
  return all;
}

using torch::optim::OptimizerParamGroup;

/// torch's own optimizer, each parameter a group: decay and rate of its own.
std::unique_ptr<torch::optim::Optimizer> torch_optimizer(const OptimizerConfig& c,
                                                         const std::vector<OptimizedParameter>& parameters) {
  std::vector<OptimizerParamGroup> groups;
  const auto add_groups = [&](auto options) {
    for (const auto& parameter : parameters) {
      auto own = std::make_unique<decltype(options)>(options);
      own->weight_decay(parameter.decay ? c.weight_decay : 0.0);
      groups.emplace_back(std::vector<at::Tensor>{parameter.value}, std::move(own));
    }
  };
  switch (c.type) {
    case OptimizerType::adam:
      add_groups(torch::optim::AdamOptions().betas({c.betas[0], c.betas[1]}).eps(c.eps));
      return std::make_unique<torch::optim::Adam>(groups);
    case OptimizerType::adamw:
      add_groups(torch::optim::AdamWOptions().betas({c.betas[0], c.betas[1]}).eps(c.eps));
      return std::make_unique<torch::optim::AdamW>(groups);
    case OptimizerType::sgd:
      add_groups(torch::optim::SGDOptions(1.0).momentum(c.momentum).nesterov(c.nesterov));
      return std::make_unique<torch::optim::SGD>(groups, torch::optim::SGDOptions(1.0));
    case OptimizerType::rmsprop:
      break;
  }
  add_groups(torch::optim::RMSpropOptions().alpha(c.alpha).eps(c.eps).momentum(c.momentum));
  return std::make_unique<torch::optim::RMSprop>(groups);
}

void set_rates(torch::optim::Optimizer& optimizer, const std::vector<OptimizedParameter>& parameters, double lr) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    optimizer.param_groups()[i].options().set_lr(lr * parameters[i].lr_scale);
  }
}

class OptimizerRule : public testing::TestWithParam<Case> {};

/// Twenty steps beside torch.optim; some parameters do not decay, some learn at another rate, some have no gradient at
/// times, and the gradients come in layouts of their own.
void compare_with_torch(const OptimizerConfig& config, at::ScalarType dtype, double tolerance) {
  const auto values = some_values(dtype);
  const auto ours = leaves(values), theirs = leaves(values);
  auto parameters = named(ours), their_parameters = named(theirs);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    parameters[i].decay = their_parameters[i].decay = i % 3 != 1;
    parameters[i].lr_scale = their_parameters[i].lr_scale = i % 4 == 2 ? 0.1 : 1.0;
  }
  Optimizer optimizer(config, parameters);
  const auto reference = torch_optimizer(config, their_parameters);
  for (int step = 1; step <= 20; ++step) {
    at::manual_seed(100 + step);
    for (std::size_t i = 0; i < ours.size(); ++i) {
      if (i % 4 == 3 && step < 8) {
        continue;  // frozen at first
      }
      const at::Tensor grad = random_grad(ours[i]);
      theirs[i].mutable_grad() = grad.clone();
      ours[i].mutable_grad() = step % 2 == 0 ? at::empty_like(ours[i].detach()).copy_(grad) : grad;
    }
    const double lr = 0.02 / step;
    optimizer.step(lr);
    set_rates(*reference, their_parameters, lr);
    reference->step();
    optimizer.zero_grad();
    for (const auto& value : ours) {
      EXPECT_FALSE(value.grad().defined());
    }
    for (const auto& value : theirs) {
      value.mutable_grad().reset();
    }
  }
  EXPECT_EQ(optimizer.steps(), 20);
  expect_equal(ours, theirs, tolerance);
}

TEST_P(OptimizerRule, IsTorchOptims) {
  compare_with_torch(GetParam().config, at::kFloat, 1e-6);
}
TEST_P(OptimizerRule, IsTorchOptimsInDoubles) {
  compare_with_torch(GetParam().config, at::kDouble, 1e-13);
}

/// Values after `steps` steps on `threads` threads, more elements than one thread takes.
std::vector<at::Tensor> trained(const OptimizerConfig& config, int threads) {
  const int before = at::get_num_threads();
  at::set_num_threads(threads);
  at::manual_seed(5);
  std::vector<at::Tensor> values{at::randn({300, 301}), at::randn({17}), at::randn({64, 32, 3, 3}),
                                 at::randn({100003})};
  for (auto& value : values) {
    value.requires_grad_();
  }
  Optimizer optimizer(config, named(values));
  for (int step = 0; step < 3; ++step) {
    for (auto& value : values) {
      value.mutable_grad() = random_grad(value);
    }
    optimizer.clip_grad_norm(1.0);
    optimizer.step(0.01);
  }
  at::set_num_threads(before);
  return values;
}

TEST_P(OptimizerRule, GivesTheSameBitsForAnyThreadCount) {
  const auto one = trained(GetParam().config, 1);
  for (const int threads : {2, 3, 5}) {
    const auto more = trained(GetParam().config, threads);
    for (std::size_t i = 0; i < one.size(); ++i) {
      EXPECT_TRUE(at::equal(one[i], more[i])) << threads << " threads, parameter " << i;
    }
  }
}

TEST_P(OptimizerRule, GoesOnExactlyFromSavedState) {
  const auto values = some_values();
  const auto whole = leaves(values), first = leaves(values);
  const auto train = [](Optimizer& optimizer, const std::vector<at::Tensor>& on, int from, int to) {
    for (int step = from; step < to; ++step) {
      at::manual_seed(step);
      for (const auto& value : on) {
        value.mutable_grad() = random_grad(value);
      }
      optimizer.step(0.01);
    }
  };
  Optimizer uninterrupted(GetParam().config, named(whole));
  train(uninterrupted, whole, 0, 6);

  Optimizer before(GetParam().config, named(first));
  train(before, first, 0, 3);
  NamedTensors saved;
  for (const auto& [name, tensor] : before.state()) {
    saved.emplace_back(name, tensor.contiguous().clone());
  }
  const auto second = leaves(first);
  Optimizer after(GetParam().config, named(second));
  after.load_state(saved, before.steps());
  EXPECT_EQ(after.steps(), 3);
  train(after, second, 3, 6);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_TRUE(at::equal(whole[i], second[i])) << "parameter " << i;
  }
}

TEST_P(OptimizerRule, LeavesParametersWithoutGradientAlone) {
  auto values = leaves(some_values());
  const auto before = leaves(some_values());
  OptimizerConfig config = GetParam().config;
  config.weight_decay = 0.5;
  Optimizer optimizer(config, named(values));
  values[0].mutable_grad() = random_grad(values[0]);
  optimizer.step(0.1);
  EXPECT_FALSE(at::equal(values[0], before[0]));
  for (std::size_t i = 1; i < values.size(); ++i) {
    EXPECT_TRUE(at::equal(values[i], before[i]));
  }
  for (const auto& [name, tensor] : optimizer.state()) {
    if (!name.starts_with("p0.")) {
      EXPECT_EQ(tensor.count_nonzero().item<std::int64_t>(), 0) << name;
    }
  }
}

TEST_P(OptimizerRule, StateHasTheStridesOfItsParameterAndIsZeroAtFirst) {
  const auto values = leaves(some_values());
  const Optimizer optimizer(GetParam().config, named(values));
  std::size_t slots = 0;
  for (const auto& [name, tensor] : optimizer.state()) {
    EXPECT_EQ(tensor.count_nonzero().item<std::int64_t>(), 0);
    EXPECT_FALSE(tensor.requires_grad());
    const at::Tensor& value = values.at(static_cast<std::size_t>(name[1] - '0'));
    if (tensor.scalar_type() == at::kFloat) {
      ++slots;
      EXPECT_EQ(tensor.sizes(), value.sizes());
      if (value.is_non_overlapping_and_dense()) {
        EXPECT_EQ(tensor.strides(), value.strides()) << name;
      }
    }
  }
  EXPECT_EQ(slots, values.size() * static_cast<std::size_t>(optimizer_slots(GetParam().config)));
}

INSTANTIATE_TEST_SUITE_P(All, OptimizerRule, testing::ValuesIn(cases()),
                         [](const auto& rule) { return rule.param.name; });

std::vector<std::string> names_of(const NamedTensors& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) {
    names.push_back(name);
  }
  return names;
}

TEST(OptimizerState, IsNamedAfterParameterAndSlot) {
  const auto state_of = [](OptimizerType type, double momentum) {
    OptimizerConfig config;
    config.type = type;
    config.momentum = momentum;
    return names_of(
        Optimizer(config, {{"a.weight", at::ones({2}), true, 1.0}, {"a.bias", at::ones({2}), true, 1.0}}).state());
  };
  EXPECT_THAT(state_of(OptimizerType::adam, 0.9),
              ElementsAre("a.weight.step", "a.weight.exp_avg", "a.weight.exp_avg_sq", "a.bias.step", "a.bias.exp_avg",
                          "a.bias.exp_avg_sq"));
  EXPECT_EQ(state_of(OptimizerType::adamw, 0.9), state_of(OptimizerType::adam, 0.0));
  EXPECT_THAT(state_of(OptimizerType::sgd, 0.9), ElementsAre("a.weight.momentum_buffer", "a.bias.momentum_buffer"));
  EXPECT_THAT(state_of(OptimizerType::sgd, 0.0), ElementsAre());
  EXPECT_THAT(state_of(OptimizerType::rmsprop, 0.0), ElementsAre("a.weight.square_avg", "a.bias.square_avg"));
  EXPECT_THAT(state_of(OptimizerType::rmsprop, 0.9), ElementsAre("a.weight.square_avg", "a.weight.momentum_buffer",
                                                                 "a.bias.square_avg", "a.bias.momentum_buffer"));
}

TEST(OptimizerState, ThatDoesNotFitIsRefusedAndNothingLoaded) {
  Optimizer optimizer({}, {{"w", at::ones({2, 3}), true, 1.0}, {"b", at::ones({3}), true, 1.0}});
  NamedTensors state;
  for (const auto& [name, tensor] : optimizer.state()) {
    state.emplace_back(name, at::ones_like(tensor));
  }
  state.pop_back();
  state[1].second = at::ones({3, 2});
  state.emplace_back("c.exp_avg", at::ones({1}));
  try {
    optimizer.load_state(state, 4);
    FAIL();
  } catch (const CheckpointError& e) {
    EXPECT_THAT(e.what(),
                AllOf(HasSubstr("optimizer"), HasSubstr("missing (1): b.exp_avg_sq"),
                      HasSubstr("unexpected (1): c.exp_avg"), HasSubstr("w.exp_avg has [3, 2], expected [2, 3]")));
  }
  EXPECT_EQ(optimizer.steps(), 0);
  for (const auto& [name, tensor] : optimizer.state()) {
    EXPECT_EQ(tensor.count_nonzero().item<std::int64_t>(), 0);
  }
  EXPECT_THROW(optimizer.load_state(optimizer.state(), -1), CheckpointError);
}

std::vector<at::Tensor> with_grads(double scale) {
  auto values = leaves(some_values());
  at::manual_seed(8);
  for (auto& value : values) {
    value.mutable_grad() = random_grad(value) * scale;
  }
  return values;
}

TEST(ClipGradNorm, IsTorchs) {
  for (const double scale : {0.001, 1.0, 50.0}) {
    for (const double max_norm : {0.5, 5.0, 1e9}) {
      const auto ours = with_grads(scale), theirs = with_grads(scale);
      Optimizer optimizer({}, named(ours));
      const double norm = optimizer.clip_grad_norm(max_norm);
      const double expected = torch::nn::utils::clip_grad_norm_(theirs, max_norm);
      EXPECT_NEAR(norm, expected, 1e-6 * expected);
      for (std::size_t i = 0; i < ours.size(); ++i) {
        EXPECT_TRUE(at::allclose(ours[i].grad(), theirs[i].grad(), 1e-5, 1e-10));
      }
    }
  }
}

TEST(ClipGradNorm, LeavesSmallerGradientsToTheBit) {
  const auto values = with_grads(1.0), before = with_grads(1.0);
  Optimizer optimizer({}, named(values));
  const double norm = optimizer.clip_grad_norm(1e6);
  EXPECT_GT(norm, 1.0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_TRUE(at::equal(values[i].grad(), before[i].grad()));
  }
  EXPECT_EQ(optimizer.clip_grad_norm(1e6), norm);
}

TEST(ClipGradNorm, CountsGradientsOfEveryKindAndSkipsNone) {
  const at::Tensor a = at::zeros({3}).requires_grad_(), b = at::zeros({2}, at::kDouble).requires_grad_(),
                   c = at::zeros({4}).requires_grad_();
  a.mutable_grad() = at::full({3}, 2.0f);
  b.mutable_grad() = at::full({2}, 3.0, at::kDouble);
  Optimizer optimizer({}, named({a, b, c}));
  EXPECT_DOUBLE_EQ(optimizer.clip_grad_norm(100.0), std::sqrt(3 * 4.0 + 2 * 9.0));
  EXPECT_TRUE(at::equal(b.grad(), at::full({2}, 3.0, at::kDouble)));
  EXPECT_DOUBLE_EQ(Optimizer({}, named({c})).clip_grad_norm(1.0), 0.0);
}

TEST(ClipGradNorm, WhatIsNotFiniteSpreads) {
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    const at::Tensor value = at::zeros({2}).requires_grad_();
    value.mutable_grad() = at::tensor({1.0f, bad});
    Optimizer optimizer({}, named({value}));
    EXPECT_FALSE(std::isfinite(optimizer.clip_grad_norm(1.0)));
    EXPECT_FALSE(std::isfinite(value.grad()[1].item<float>()));
  }
}

struct Net : torch::nn::Module {
  Net() {
    register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 4, 3).bias(false)));
    register_module("bn", torch::nn::BatchNorm2d(4));
    register_module("fc", torch::nn::Linear(4, 2));
  }
};

TEST(OptimizedParameters, DecayAllOrOnlyMatrices) {
  const Net net;
  OptimizerConfig config;
  const auto decays = [&] {
    std::vector<std::string> names;
    for (const auto& parameter : optimized_parameters(net, config)) {
      EXPECT_EQ(parameter.lr_scale, 1.0);
      EXPECT_TRUE(parameter.value.is_leaf());
      if (parameter.decay) {
        names.push_back(parameter.name);
      }
    }
    return names;
  };
  EXPECT_THAT(decays(), ElementsAre("conv.weight", "bn.weight", "bn.bias", "fc.weight", "fc.bias"));
  config.decay_norm_and_bias = false;
  EXPECT_THAT(decays(), ElementsAre("conv.weight", "fc.weight"));
  EXPECT_EQ(optimized_parameters(net, config).size(), 5u);
}

TEST(OptimizedParameters, AreTheModulesOwn) {
  Net net;
  OptimizerConfig config;
  config.type = OptimizerType::sgd;
  config.momentum = 0.0;
  Optimizer optimizer(config, optimized_parameters(net, config));
  const at::Tensor before = net.named_parameters()["fc.bias"].detach().clone();
  net.named_parameters()["fc.bias"].mutable_grad() = at::ones({2});
  optimizer.step(0.25);
  EXPECT_TRUE(at::allclose(net.named_parameters()["fc.bias"], before - 0.25));
}

}  // namespace
}  // namespace effnetv2
