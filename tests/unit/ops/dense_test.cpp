#include "effnetv2/ops/dense.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "support/convolution.h"

namespace effnetv2 {
namespace {

using test::channels_last;
using test::ConvCase;
using test::distance;

class Dense : public testing::TestWithParam<ConvCase> {};

TEST_P(Dense, EqualsItsTwinInFloat64AtEveryLevel) {
  const ConvCase c = GetParam();
  at::manual_seed(1);
  const at::Tensor x = test::random_input(c);
  const at::Tensor weight = test::random_weight(c);
  const at::Tensor bias = at::randn({c.outputs});
  const at::Tensor exact_x = x.to(at::kDouble).requires_grad_();
  const at::Tensor exact_weight = weight.to(at::kDouble).requires_grad_();
  const at::Tensor exact = test::twin(exact_x, exact_weight, bias.to(at::kDouble), c);
  const at::Tensor grad = channels_last(at::randn(exact.sizes()));
  const auto exact_grads = torch::autograd::grad({exact}, {exact_x, exact_weight}, {grad.to(at::kDouble)});
  for (const CpuLevel level : supported_cpu_levels()) {
    SCOPED_TRACE(to_string(level));
    const at::Tensor y = dense_forward(x, weight, bias, c.stride, c.padding, level);
    EXPECT_TRUE(y.is_contiguous(at::MemoryFormat::ChannelsLast));
    EXPECT_LT(distance(y, exact), 2e-6);
    EXPECT_LT(distance(dense_forward(x, weight, {}, c.stride, c.padding, level), exact - bias.view({1, -1, 1, 1})),
              2e-6);
    EXPECT_LT(distance(dense_grad_input(grad, x, weight, c.stride, c.padding, level), exact_grads[0]), 2e-6);
    EXPECT_LT(distance(dense_grad_weight(grad, x, weight, c.stride, c.padding, level), exact_grads[1]), 5e-6);
  }
}

/// Of inputs that are bfloat16 already, the results are exact but for sums in float32 and one rounding at the end.
TEST_P(Dense, InBfloat16EqualsItsTwinInFloat64AtEveryLevel) {
  const ConvCase c = GetParam();
  at::manual_seed(2);
  const auto rounded = [](const at::Tensor& x) { return x.to(at::kBFloat16); };
  const at::Tensor x = rounded(test::random_input(c));
  const at::Tensor weight = test::random_weight(c);  // which the operation rounds
  const at::Tensor bias = at::randn({c.outputs});
  const at::Tensor exact_x = x.to(at::kDouble).requires_grad_();
  const at::Tensor exact_weight = rounded(weight).to(at::kDouble).requires_grad_();
  const at::Tensor exact = test::twin(exact_x, exact_weight, bias.to(at::kDouble), c);
  const at::Tensor grad = rounded(channels_last(at::randn(exact.sizes())));
  const auto exact_grads = torch::autograd::grad({exact}, {exact_x, exact_weight}, {grad.to(at::kDouble)});

  const at::Tensor leaf_x = x.detach().requires_grad_();
  const at::Tensor leaf_weight = weight.detach().requires_grad_();
  for (const CpuLevel level : supported_cpu_levels()) {
    SCOPED_TRACE(to_string(level));
    const CpuLevelGuard guard(level);
    const at::Tensor y = dense_conv2d(leaf_x, leaf_weight, bias, c.stride, c.padding);
    const auto grads = torch::autograd::grad({y}, {leaf_x, leaf_weight}, {grad});
    EXPECT_EQ(y.scalar_type(), at::kBFloat16);
    EXPECT_EQ(grads[0].scalar_type(), at::kBFloat16);
    EXPECT_EQ(grads[1].scalar_type(), at::kFloat);
    EXPECT_LT(distance(y, exact), 4e-3);
    EXPECT_LT(distance(grads[0], exact_grads[0]), 4e-3);
    EXPECT_LT(distance(grads[1], exact_grads[1]), 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Dense,
                         testing::Values(ConvCase{1, 1, 1, 1, 1, 1, 1, 0, 1}, ConvCase{2, 8, 1, 1, 16, 1, 1, 0, 1},
                                         ConvCase{7, 1536, 1, 1, 64, 1, 1, 0, 1}, ConvCase{7, 17, 2, 2, 33, 1, 1, 0, 1},
                                         ConvCase{13, 48, 3, 5, 24, 1, 1, 0, 1}, ConvCase{3, 3, 9, 7, 40, 1, 2, 0, 1},
                                         ConvCase{2, 5, 3, 4, 6, 1, 1, 1, 1}, ConvCase{1, 3, 7, 7, 24, 3, 2, 1, 1},
                                         ConvCase{2, 8, 1, 1, 8, 3, 1, 1, 1}, ConvCase{7, 17, 2, 2, 9, 3, 1, 1, 1},
                                         ConvCase{8, 24, 7, 7, 24, 3, 1, 1, 1}, ConvCase{2, 24, 33, 20, 48, 3, 1, 1, 1},
                                         ConvCase{1, 16, 40, 17, 96, 3, 2, 1, 1}, ConvCase{1, 8, 30, 3, 16, 5, 1, 2, 1},
                                         ConvCase{13, 48, 16, 14, 24, 3, 1, 1, 1},
                                         ConvCase{4, 10, 50, 50, 40, 1, 1, 0, 1}, ConvCase{9, 24, 6, 7, 96, 3, 2, 1, 1},
                                         ConvCase{20, 48, 4, 4, 100, 3, 1, 1, 1},
                                         ConvCase{11, 16, 3, 5, 17, 3, 2, 1, 1}, ConvCase{600, 9, 3, 2, 7, 3, 1, 1, 1},
                                         ConvCase{3, 10, 8, 9, 12, 5, 2, 2, 1}, ConvCase{3, 10, 8, 9, 12, 4, 3, 1, 1},
                                         ConvCase{2, 4, 9, 9, 5, 7, 1, 0, 1}, ConvCase{5, 8, 2, 2, 8, 3, 2, 4, 1},
                                         ConvCase{1, 8, 20, 20, 8, 3, 1, 3, 1}, ConvCase{32, 8, 1, 1, 8, 3, 8, 4, 1},
                                         ConvCase{1, 8, 3, 1101, 16, 3, 1, 1, 1}),
                         [](const auto& test) { return test::name(test.param); });

/// One forward and backward pass through autograd.
std::vector<at::Tensor> step(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const ConvCase& c) {
  const std::vector<at::Tensor> leaves{x.detach().requires_grad_(), weight.detach().requires_grad_(),
                                       bias.detach().requires_grad_()};
  const at::Tensor y = dense_conv2d(leaves[0], leaves[1], leaves[2], c.stride, c.padding);
  auto results = torch::autograd::grad({y}, leaves, {y.detach().sin()});
  results.push_back(y.detach());
  return results;
}

TEST(DenseConv2d, HasTheSameBitsInEveryRunAndForAnyThreadCount) {
  const int before = at::get_num_threads();
  for (const ConvCase& c : {ConvCase{33, 96, 2, 2, 70, 3, 1, 1, 1}, ConvCase{16, 40, 7, 9, 48, 3, 2, 1, 1},
                            ConvCase{64, 512, 1, 1, 96, 1, 1, 0, 1}}) {
    at::manual_seed(2);
    const at::Tensor x = test::random_input(c);
    const at::Tensor weight = test::random_weight(c);
    const at::Tensor bias = at::randn({c.outputs});
    at::set_num_threads(1);
    const auto expected = step(x, weight, bias, c);
    for (const int threads : {1, 2, 3}) {
      at::set_num_threads(threads);
      const auto actual = step(x, weight, bias, c);
      // the bias's gradient is ATen's sum
      for (const std::size_t i : {0u, 1u, 3u}) {
        EXPECT_TRUE(at::equal(actual[i], expected[i])) << c << ", " << threads << " threads, result " << i;
      }
    }
  }
  at::set_num_threads(before);
}

TEST(DenseConv2d, TakesAnyStrides) {
  const ConvCase c{9, 10, 5, 4, 12, 3, 1, 1, 1};
  at::manual_seed(3);
  const at::Tensor x = at::randn({9, 10, 5, 4});
  const at::Tensor weight = at::randn({12, 10, 3, 3});
  const at::Tensor bias = at::randn({12});
  const auto expected = step(channels_last(x), channels_last(weight), bias, c);
  const at::Tensor strided_x = at::randn({9, 20, 5, 8}).slice(1, 0, 20, 2).slice(3, 0, 8, 2).copy_(x);
  const at::Tensor strided_weight = at::randn({12, 10, 3, 6}).slice(3, 0, 6, 2).copy_(weight);
  const at::Tensor strided_bias = at::randn({24}).slice(0, 0, 24, 2).copy_(bias);
  for (const auto& actual : {step(x, weight, bias, c), step(strided_x, strided_weight, strided_bias, c)}) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_TRUE(at::equal(actual[i], expected[i])) << i;
    }
  }
}

TEST(DenseConv2d, MakesNoCopyOfChannelsLastMapsOfOnePosition) {
  const at::Tensor x = at::randn({40, 16}).view({40, 16, 1, 1});
  const at::Tensor y = dense_conv2d(x, at::randn({24, 16, 1, 1}), {}, 1, 0);
  EXPECT_TRUE(y.is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_TRUE(y.is_contiguous());
  EXPECT_EQ(y.view({40, 24}).data_ptr(), y.data_ptr());
}

TEST(DenseConv2d, ComputesOnlyTheGradientsThatAreWanted) {
  const at::Tensor x = at::randn({8, 8, 4, 4});
  const at::Tensor weight = at::randn({16, 8, 3, 3});
  const at::Tensor bias = at::randn({16});
  EXPECT_FALSE(dense_conv2d(x, weight, bias, 1, 1).requires_grad());
  for (int wanted = 1; wanted < 8; ++wanted) {
    const at::Tensor leaf_x = x.detach().requires_grad_((wanted & 1) != 0);
    const at::Tensor leaf_weight = weight.detach().requires_grad_((wanted & 2) != 0);
    const at::Tensor leaf_bias = bias.detach().requires_grad_((wanted & 4) != 0);
    dense_conv2d(leaf_x, leaf_weight, leaf_bias, 1, 1).sum().backward();
    EXPECT_EQ(leaf_x.grad().defined(), (wanted & 1) != 0) << wanted;
    EXPECT_EQ(leaf_weight.grad().defined(), (wanted & 2) != 0) << wanted;
    EXPECT_EQ(leaf_bias.grad().defined(), (wanted & 4) != 0) << wanted;
    if (leaf_bias.grad().defined()) {
      EXPECT_TRUE(at::equal(leaf_bias.grad(), at::full({16}, 8 * 16.0)));
    }
  }
  const at::Tensor trained = weight.detach().requires_grad_();
  {
    const at::NoGradGuard no_grad;
    EXPECT_FALSE(dense_conv2d(x, trained, bias, 1, 1).requires_grad());
  }
  {
    const c10::InferenceMode inference;
    EXPECT_TRUE(dense_conv2d(x, trained, bias, 1, 1).is_inference());
  }
}

TEST(DenseConv2d, HasASecondDerivative) {
  const ConvCase c{3, 6, 5, 4, 7, 3, 2, 1, 1};
  at::manual_seed(4);
  const std::vector<at::Tensor> leaves{test::random_input(c).requires_grad_(), test::random_weight(c).requires_grad_(),
                                       at::randn({7}).requires_grad_()};
  const auto second = [&](const at::Tensor& y) {
    const auto first = torch::autograd::grad({y.square().sum()}, leaves, {}, true, true);
    return torch::autograd::grad({first[0].square().sum() + first[1].square().sum() + first[2].square().sum()}, leaves);
  };
  const auto actual = second(dense_conv2d(leaves[0], leaves[1], leaves[2], 2, 1));
  const auto expected = second(test::twin(leaves[0], leaves[1], leaves[2], c));
  for (std::size_t i = 0; i < actual.size(); ++i) {
    EXPECT_LT(distance(actual[i], expected[i]), 1e-5) << i;
  }
}

TEST(DenseConv2d, AcceptsAnEmptyBatch) {
  const at::Tensor x = at::empty({0, 8, 4, 4}).requires_grad_();
  const at::Tensor weight = at::randn({8, 8, 3, 3}).requires_grad_();
  const at::Tensor y = dense_conv2d(x, weight, {}, 2, 1);
  EXPECT_EQ(y.sizes(), at::IntArrayRef({0, 8, 2, 2}));
  y.sum().backward();
  EXPECT_EQ(weight.grad().abs().sum().item<float>(), 0.0f);
}

TEST(DenseConv2d, RefusesWhatItCannotDo) {
  const at::Tensor x = at::randn({2, 8, 4, 4});
  const at::Tensor weight = at::randn({8, 8, 3, 3});
  EXPECT_THROW(dense_conv2d(x.to(at::kDouble), weight, {}, 1, 1), c10::Error);
  EXPECT_THROW(dense_conv2d(x[0], weight, {}, 1, 1), c10::Error);
  EXPECT_THROW(dense_conv2d(x, at::randn({8, 7, 3, 3}), {}, 1, 1), c10::Error);
  EXPECT_THROW(dense_conv2d(x, at::randn({8, 8, 3, 2}), {}, 1, 1), c10::Error);
  EXPECT_THROW(dense_conv2d(x, weight, at::randn({7}), 1, 1), c10::Error);
  EXPECT_THROW(dense_conv2d(x, weight, {}, 0, 1), c10::Error);
  EXPECT_THROW(dense_conv2d(x, at::randn({8, 8, 7, 7}), {}, 1, 1), c10::Error);
}

}  // namespace
}  // namespace effnetv2
