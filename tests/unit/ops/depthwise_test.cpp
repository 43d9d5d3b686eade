#include "effnetv2/ops/depthwise.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "support/convolution.h"

namespace effnetv2 {
namespace {

using test::channels_last;
using test::ConvCase;
using test::depthwise;
using test::distance;

class Depthwise : public testing::TestWithParam<ConvCase> {};

TEST_P(Depthwise, EqualsItsTwinInFloat64AtEveryLevel) {
  const ConvCase c = GetParam();
  at::manual_seed(1);
  const at::Tensor x = test::random_input(c);
  const at::Tensor weight = test::random_weight(c);
  const at::Tensor exact_x = x.to(at::kDouble).requires_grad_();
  const at::Tensor exact_weight = weight.to(at::kDouble).requires_grad_();
  const at::Tensor exact = test::twin(exact_x, exact_weight, {}, c);
  const at::Tensor grad = channels_last(at::randn(exact.sizes()));
  const auto exact_grads = torch::autograd::grad({exact}, {exact_x, exact_weight}, {grad.to(at::kDouble)});
  for (const CpuLevel level : supported_cpu_levels()) {
    SCOPED_TRACE(to_string(level));
    const at::Tensor y = depthwise_forward(x, weight, c.stride, c.padding, level);
    EXPECT_TRUE(y.is_contiguous(at::MemoryFormat::ChannelsLast));
    EXPECT_LT(distance(y, exact), 1e-6);
    EXPECT_LT(distance(depthwise_grad_input(grad, x, weight, c.stride, c.padding, level), exact_grads[0]), 1e-6);
    EXPECT_LT(distance(depthwise_grad_weight(grad, x, weight, c.stride, c.padding, level), exact_grads[1]), 3e-6);
  }
}

TEST_P(Depthwise, InBfloat16EqualsItsTwinInFloat64AtEveryLevel) {
  const ConvCase c = GetParam();
  at::manual_seed(3);
  const at::Tensor x = test::random_input(c).to(at::kBFloat16);
  const at::Tensor weight = test::random_weight(c);
  const at::Tensor exact_x = x.to(at::kDouble).requires_grad_();
  const at::Tensor exact_weight = weight.to(at::kDouble).requires_grad_();
  const at::Tensor exact = test::twin(exact_x, exact_weight, {}, c);
  const at::Tensor grad = channels_last(at::randn(exact.sizes())).to(at::kBFloat16);
  const auto exact_grads = torch::autograd::grad({exact}, {exact_x, exact_weight}, {grad.to(at::kDouble)});
  for (const CpuLevel level : supported_cpu_levels()) {
    SCOPED_TRACE(to_string(level));
    const at::Tensor y = depthwise_forward(x, weight, c.stride, c.padding, level);
    EXPECT_EQ(y.scalar_type(), at::kBFloat16);
    EXPECT_LT(distance(y, exact), 4e-3);
    EXPECT_LT(distance(depthwise_grad_input(grad, x, weight, c.stride, c.padding, level), exact_grads[0]), 4e-3);
    const at::Tensor grad_weight = depthwise_grad_weight(grad, x, weight, c.stride, c.padding, level);
    EXPECT_EQ(grad_weight.scalar_type(), at::kFloat);
    EXPECT_LT(distance(grad_weight, exact_grads[1]), 3e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Depthwise,
    testing::Values(depthwise(2, 8, 1, 1, 3, 1, 1), depthwise(7, 1536, 1, 1, 3, 1, 1), depthwise(1, 1, 1, 1, 3, 2, 1),
                    depthwise(2, 48, 2, 2, 3, 1, 1), depthwise(7, 17, 2, 2, 3, 2, 1), depthwise(2, 3, 3, 5, 3, 1, 1),
                    depthwise(1, 17, 3, 5, 3, 2, 1), depthwise(7, 48, 7, 7, 3, 1, 1), depthwise(2, 40, 7, 7, 3, 2, 1),
                    depthwise(1, 100, 9, 16, 3, 1, 1), depthwise(2, 33, 16, 9, 3, 2, 1),
                    depthwise(2, 48, 7, 7, 5, 1, 2), depthwise(2, 17, 11, 8, 5, 2, 2), depthwise(1, 24, 2, 2, 5, 1, 2),
                    depthwise(2, 8, 9, 8, 7, 1, 3), depthwise(2, 9, 9, 8, 7, 2, 3), depthwise(2, 40, 5, 6, 3, 1, 0),
                    depthwise(1, 16, 6, 5, 3, 3, 2), depthwise(1, 19, 4, 5, 1, 1, 0), depthwise(1, 19, 4, 5, 1, 2, 0),
                    depthwise(1, 16, 1, 1, 3, 1, 4), depthwise(33, 136, 2, 2, 3, 1, 1), depthwise(1, 8, 3, 3, 3, 2, 5)),
    [](const auto& test) { return test::name(test.param); });

/// One forward and backward pass through autograd.
std::vector<at::Tensor> step(const at::Tensor& x, const at::Tensor& weight, const ConvCase& c) {
  const at::Tensor leaf_x = x.detach().requires_grad_();
  const at::Tensor leaf_weight = weight.detach().requires_grad_();
  const at::Tensor y = depthwise_conv2d(leaf_x, leaf_weight, c.stride, c.padding);
  auto results = torch::autograd::grad({y}, {leaf_x, leaf_weight}, {y.detach().sin()});
  results.push_back(y.detach());
  return results;
}

TEST(DepthwiseConv2d, HasTheSameBitsInEveryRunAndForAnyThreadCount) {
  const int before = at::get_num_threads();
  for (const ConvCase& c :
       {depthwise(33, 96, 2, 2, 3, 1, 1), depthwise(16, 200, 7, 9, 3, 2, 1), depthwise(64, 512, 1, 1, 3, 1, 1)}) {
    at::manual_seed(2);
    const at::Tensor x = test::random_input(c);
    const at::Tensor weight = test::random_weight(c);
    at::set_num_threads(1);
    const auto expected = step(x, weight, c);
    for (const int threads : {1, 2, 3}) {
      at::set_num_threads(threads);
      const auto actual = step(x, weight, c);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_TRUE(at::equal(actual[i], expected[i])) << c << ", " << threads << " threads, result " << i;
      }
    }
  }
  at::set_num_threads(before);
}

TEST(DepthwiseConv2d, TakesAnyStrides) {
  const ConvCase c = depthwise(3, 10, 5, 4, 3, 1, 1);
  at::manual_seed(3);
  const at::Tensor x = at::randn({3, 10, 5, 4});
  const at::Tensor weight = at::randn({10, 1, 3, 3});
  const auto expected = step(channels_last(x), weight, c);
  const at::Tensor strided = at::randn({3, 20, 5, 8}).slice(1, 0, 20, 2).slice(3, 0, 8, 2).copy_(x);
  const at::Tensor strided_weight = at::randn({10, 1, 3, 6}).slice(3, 0, 6, 2).copy_(weight);
  for (const auto& actual : {step(x, weight, c), step(strided, strided_weight, c)}) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_TRUE(at::equal(actual[i], expected[i])) << i;
    }
  }
}

TEST(DepthwiseConv2d, TakesAnExpandedGradient) {
  const at::Tensor x = at::randn({2, 8, 4, 4}).requires_grad_();
  const at::Tensor weight = at::randn({8, 1, 3, 3}).requires_grad_();
  const ConvCase c = depthwise(2, 8, 4, 4, 3, 1, 1);
  const auto actual = torch::autograd::grad({depthwise_conv2d(x, weight, 1, 1).sum()}, {x, weight});
  const auto expected = torch::autograd::grad({test::twin(x, weight, {}, c).sum()}, {x, weight});
  EXPECT_LT(distance(actual[0], expected[0]), 1e-6);
  EXPECT_LT(distance(actual[1], expected[1]), 1e-6);
}

TEST(DepthwiseConv2d, ComputesOnlyTheGradientsThatAreWanted) {
  const at::Tensor x = at::randn({2, 8, 4, 4});
  const at::Tensor weight = at::randn({8, 1, 3, 3});
  EXPECT_FALSE(depthwise_conv2d(x, weight, 1, 1).requires_grad());
  for (const bool for_x : {true, false}) {
    const at::Tensor leaf_x = x.detach().requires_grad_(for_x);
    const at::Tensor leaf_weight = weight.detach().requires_grad_(!for_x);
    depthwise_conv2d(leaf_x, leaf_weight, 1, 1).sum().backward();
    EXPECT_EQ(leaf_x.grad().defined(), for_x);
    EXPECT_EQ(leaf_weight.grad().defined(), !for_x);
  }
  const at::Tensor trained = weight.detach().requires_grad_();
  {
    const at::NoGradGuard no_grad;
    EXPECT_FALSE(depthwise_conv2d(x, trained, 1, 1).requires_grad());
  }
  {
    const c10::InferenceMode inference;
    EXPECT_TRUE(depthwise_conv2d(x, trained, 1, 1).is_inference());
  }
}

TEST(DepthwiseConv2d, HasASecondDerivative) {
  const ConvCase c = depthwise(2, 6, 5, 4, 3, 2, 1);
  at::manual_seed(4);
  const at::Tensor x = at::randn({2, 6, 5, 4}).requires_grad_();
  const at::Tensor weight = at::randn({6, 1, 3, 3}).requires_grad_();
  const auto second = [&](const at::Tensor& y) {
    const auto first = torch::autograd::grad({y.square().sum()}, {x, weight}, {}, true, true);
    return torch::autograd::grad({first[0].square().sum() + first[1].square().sum()}, {x, weight});
  };
  const auto actual = second(depthwise_conv2d(x, weight, 2, 1));
  const auto expected = second(test::twin(x, weight, {}, c));
  EXPECT_LT(distance(actual[0], expected[0]), 1e-5);
  EXPECT_LT(distance(actual[1], expected[1]), 1e-5);
}

TEST(DepthwiseConv2d, AcceptsAnEmptyBatch) {
  const at::Tensor x = at::empty({0, 8, 4, 4}).requires_grad_();
  const at::Tensor weight = at::randn({8, 1, 3, 3}).requires_grad_();
  const at::Tensor y = depthwise_conv2d(x, weight, 2, 1);
  EXPECT_EQ(y.sizes(), at::IntArrayRef({0, 8, 2, 2}));
  y.sum().backward();
  EXPECT_EQ(weight.grad().abs().sum().item<float>(), 0.0f);
}

TEST(DepthwiseConv2d, RefusesWhatItCannotDo) {
  const at::Tensor x = at::randn({2, 8, 4, 4});
  const at::Tensor weight = at::randn({8, 1, 3, 3});
  EXPECT_THROW(depthwise_conv2d(x.to(at::kDouble), weight, 1, 1), c10::Error);
  EXPECT_THROW(depthwise_conv2d(x[0], weight, 1, 1), c10::Error);
  EXPECT_THROW(depthwise_conv2d(x, at::randn({8, 8, 3, 3}), 1, 1), c10::Error);
  EXPECT_THROW(depthwise_conv2d(x, at::randn({8, 1, 2, 2}), 1, 1), c10::Error);
  EXPECT_THROW(depthwise_conv2d(x, weight, 0, 1), c10::Error);
  EXPECT_THROW(depthwise_conv2d(x, at::randn({8, 1, 7, 7}), 1, 1), c10::Error);
}

}  // namespace
}  // namespace effnetv2
