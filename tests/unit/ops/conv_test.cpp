#include "effnetv2/ops/conv.h"

#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>

#include "effnetv2/core/cpu_features.h"

#include "support/convolution.h"

namespace effnetv2 {
namespace {

using test::ConvCase;
using test::distance;

at::Tensor call(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const ConvCase& c) {
  return conv2d(x, weight, bias, c.stride, c.padding, c.groups);
}

class Conv2d : public testing::TestWithParam<ConvCase> {};

TEST_P(Conv2d, EqualsATensInValuesAndGradients) {
  const ConvCase c = GetParam();
  at::manual_seed(1);
  const at::Tensor x = test::random_input(c).requires_grad_();
  const at::Tensor weight = test::random_weight(c).requires_grad_();
  for (const at::Tensor& bias : {at::Tensor(), at::randn({c.outputs})}) {
    SCOPED_TRACE(bias.defined() ? "bias" : "no bias");
    std::vector<at::Tensor> leaves{x, weight};
    if (bias.defined()) {
      leaves.push_back(bias.requires_grad_());
    }
    const at::Tensor actual = call(x, weight, bias, c);
    const at::Tensor expected = test::twin(x, weight, bias, c);
    EXPECT_LT(distance(actual.detach(), expected.detach()), 5e-6);
    const at::Tensor grad = at::randn(expected.sizes());
    const auto actual_grads = torch::autograd::grad({actual}, leaves, {grad});
    const auto expected_grads = torch::autograd::grad({expected}, leaves, {grad});
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      EXPECT_LT(distance(actual_grads[i], expected_grads[i]), 1e-5) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Conv2d,
                         testing::Values(ConvCase{8, 3, 9, 9, 24, 3, 2, 1, 1},    // stem
                                         ConvCase{8, 24, 7, 7, 24, 3, 1, 1, 1},   // fused
                                         ConvCase{2, 24, 7, 7, 24, 3, 1, 1, 1},   // few images
                                         ConvCase{8, 16, 33, 32, 8, 3, 1, 1, 1},  // a large map
                                         ConvCase{40, 64, 1, 1, 16, 1, 1, 0, 1},  // squeeze
                                         ConvCase{1, 64, 1, 1, 16, 1, 1, 0, 1},   // of one image
                                         ConvCase{5, 40, 3, 5, 17, 1, 1, 0, 1},   // pointwise
                                         ConvCase{5, 40, 5, 5, 16, 1, 2, 0, 1},   // with a stride
                                         ConvCase{4, 40, 5, 3, 40, 3, 1, 1, 40},  // depthwise
                                         ConvCase{4, 40, 5, 3, 80, 3, 1, 1, 40},  // two filters per channel
                                         ConvCase{4, 40, 6, 6, 40, 4, 2, 1, 40},  // an even filter
                                         ConvCase{4, 40, 5, 3, 40, 3, 1, 1, 8},   // groups
                                         ConvCase{2, 1, 5, 3, 1, 3, 1, 1, 1}),    // one channel
                         [](const auto& test) { return test::name(test.param); });

TEST(Conv2dOfOtherTypes, IsATens) {
  const ConvCase c{8, 24, 4, 4, 24, 3, 1, 1, 24};
  const at::Tensor x = test::random_input(c);
  const at::Tensor weight = test::random_weight(c);
  for (const auto type : {at::kDouble, at::kBFloat16}) {
    const at::Tensor actual = call(x.to(type), weight.to(type), {}, c);
    EXPECT_EQ(actual.scalar_type(), type);
    EXPECT_TRUE(at::equal(actual, test::twin(x.to(type), weight.to(type), {}, c)));
  }
}

/// LibTorch's bfloat16 convolutions take many times as long there (docs/performance.md).
TEST(Conv2dOfBfloat16Maps, TakesOurKernelsWhereNothingMultipliesBfloat16) {
  for (const ConvCase& c : {ConvCase{2, 3, 9, 9, 24, 3, 2, 1, 1}, ConvCase{2, 24, 7, 7, 24, 3, 1, 1, 1}}) {
    const at::Tensor x = test::random_input(c).to(at::kBFloat16).requires_grad_();
    const at::Tensor weight = test::random_weight(c).requires_grad_();
    for (const CpuLevel level : supported_cpu_levels()) {
      if (level == CpuLevel::avx512_bf16) {
        continue;
      }
      SCOPED_TRACE(to_string(level));
      const CpuLevelGuard guard(level);
      const at::Tensor y = call(x, weight, {}, c);
      EXPECT_EQ(y.scalar_type(), at::kBFloat16);
      EXPECT_NE(y.grad_fn()->name().find("Dense"), std::string::npos) << y.grad_fn()->name();
    }
  }
}

TEST(Conv2dOfWrongShapes, ThrowsAsATenDoes) {
  EXPECT_THROW(conv2d(at::randn({8, 24, 4, 4}), at::randn({8, 23, 3, 3}), {}, 1, 1, 1), c10::Error);
  EXPECT_THROW(conv2d(at::randn({8, 24, 4, 4}), at::randn({24, 2, 3, 3}), {}, 1, 1, 24), c10::Error);
  EXPECT_THROW(conv2d(at::randn({8, 24, 4, 4}), at::randn({8, 24, 3, 3}), at::randn({7}), 1, 1, 1), c10::Error);
  EXPECT_THROW(conv2d(at::randn({8, 24, 1, 1}), at::randn({8, 24, 3, 3}), {}, 1, 0, 1), c10::Error);
  EXPECT_THROW(conv2d(at::randn({8, 24, 1, 1}), at::randn({24, 1, 3, 3}), {}, 1, 0, 24), c10::Error);
}

}  // namespace
}  // namespace effnetv2
