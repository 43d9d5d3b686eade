#define EFFNETV2_CUDA_NAMESPACE cuda_emulated
#include "effnetv2/ops/cuda_depthwise.h"

#include <array>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/cuda.h>

#include "effnetv2/ops/conv.h"
#include "effnetv2/ops/cuda_device.h"

#include "support/convolution.h"

// The kernels and their binding run here on the CPU (cuda_host/emulator.h), which shuffles threads and blocks anew in
// each launch; the last suite runs them on a card where there is one.
namespace effnetv2 {
namespace {

using test::channels_last;
using test::ConvCase;
using test::depthwise;
using test::distance;

struct Exact {
  at::Tensor y, grad, grad_x, grad_weight, grad_bias;
};

/// The plain twin in float64, for a drawn gradient in x's dtype.
Exact exact(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const ConvCase& c) {
  const auto wide = [](const at::Tensor& t) { return t.detach().to(at::kCPU, at::kDouble).requires_grad_(); };
  const at::Tensor wide_x = wide(x), wide_weight = wide(weight), wide_bias = wide(bias);
  const at::Tensor y = test::twin(wide_x, wide_weight, wide_bias, c);
  const at::Tensor grad = channels_last(at::randn(y.sizes())).to(x.scalar_type());
  const auto grads = torch::autograd::grad({y}, {wide_x, wide_weight, wide_bias}, {grad.to(at::kDouble)});
  return {y.detach(), grad, grads[0], grads[1], grads[2]};
}

struct Result {
  at::Tensor y, grad_x, grad_weight, grad_bias;
};

using Convolution = at::Tensor (*)(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                                   const ConvCase& c);

at::Tensor emulated(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const ConvCase& c) {
  return cuda_emulated::depthwise_conv2d(x, weight, bias, c.stride, c.padding);
}

/// One forward and backward pass through autograd.
Result step(Convolution convolution, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
            const at::Tensor& grad, const ConvCase& c) {
  const auto leaf = [](const at::Tensor& t) { return t.detach().requires_grad_(); };
  const at::Tensor leaf_x = leaf(x), leaf_weight = leaf(weight), leaf_bias = leaf(bias);
  const at::Tensor y = convolution(leaf_x, leaf_weight, leaf_bias, c);
  const auto grads = torch::autograd::grad({y}, {leaf_x, leaf_weight, leaf_bias}, {grad});
  return {y.detach(), grads[0], grads[1], grads[2]};
}

void expect_near(const Result& actual, const Exact& expected, at::ScalarType map, at::ScalarType filter) {
  const auto bound = [](at::ScalarType type) { return type == at::kBFloat16 ? 4e-3 : 4e-6; };
  EXPECT_TRUE(actual.y.is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_EQ(actual.y.scalar_type(), map);
  EXPECT_EQ(actual.grad_x.scalar_type(), map);
  EXPECT_EQ(actual.grad_weight.scalar_type(), filter);
  EXPECT_EQ(actual.grad_bias.scalar_type(), filter);
  EXPECT_LT(distance(actual.y.cpu(), expected.y), bound(map));
  EXPECT_LT(distance(actual.grad_x.cpu(), expected.grad_x), bound(map));
  EXPECT_LT(distance(actual.grad_weight.cpu(), expected.grad_weight), bound(filter));
  EXPECT_LT(distance(actual.grad_bias.cpu(), expected.grad_bias), bound(filter));
}

/// Maps and filters in float32, bfloat16 maps beside either.
constexpr std::array<std::array<at::ScalarType, 2>, 3> kTypes{
    {{at::kFloat, at::kFloat}, {at::kBFloat16, at::kFloat}, {at::kBFloat16, at::kBFloat16}}};

class CudaDepthwise : public testing::TestWithParam<ConvCase> {};

TEST_P(CudaDepthwise, EqualsItsTwinInFloat64) {
  const ConvCase c = GetParam();
  for (const auto& [map, filter] : kTypes) {
    SCOPED_TRACE(std::string(c10::toString(map)) + " beside " + c10::toString(filter));
    at::manual_seed(1);
    const at::Tensor x = test::random_input(c).to(map);
    const at::Tensor weight = test::random_weight(c).to(filter);
    const at::Tensor bias = at::randn({c.channels}).to(filter);
    const Exact expected = exact(x, weight, bias, c);
    const Result actual = step(emulated, x, weight, bias, expected.grad, c);
    expect_near(actual, expected, map, filter);
    // threads and blocks in another order
    const Result again = step(emulated, x, weight, bias, expected.grad, c);
    EXPECT_TRUE(at::equal(again.y, actual.y));
    EXPECT_TRUE(at::equal(again.grad_x, actual.grad_x));
    EXPECT_TRUE(at::equal(again.grad_weight, actual.grad_weight));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, CudaDepthwise,
    testing::Values(depthwise(2, 8, 1, 1, 3, 1, 1), depthwise(7, 1536, 1, 1, 3, 1, 1), depthwise(1, 1, 1, 1, 3, 2, 1),
                    depthwise(2, 48, 2, 2, 3, 1, 1), depthwise(7, 17, 2, 2, 3, 2, 1), depthwise(2, 3, 3, 5, 3, 1, 1),
                    depthwise(1, 17, 3, 5, 3, 2, 1), depthwise(7, 48, 7, 7, 3, 1, 1), depthwise(2, 40, 7, 7, 3, 2, 1),
                    depthwise(1, 100, 9, 16, 3, 1, 1), depthwise(2, 33, 16, 9, 3, 2, 1),
                    depthwise(2, 72, 12, 11, 3, 1, 1), depthwise(2, 72, 13, 10, 3, 2, 1),
                    depthwise(2, 48, 7, 7, 5, 1, 2), depthwise(2, 17, 11, 8, 5, 2, 2), depthwise(1, 24, 2, 2, 5, 1, 2),
                    depthwise(3, 24, 11, 9, 5, 2, 2), depthwise(1, 16, 1, 1, 5, 2, 2), depthwise(2, 8, 9, 8, 7, 1, 3),
                    depthwise(2, 9, 9, 8, 7, 2, 3), depthwise(2, 40, 5, 6, 3, 1, 0), depthwise(2, 16, 6, 7, 3, 2, 0),
                    depthwise(2, 16, 6, 7, 3, 2, 2), depthwise(2, 16, 7, 6, 5, 2, 1), depthwise(2, 16, 7, 6, 5, 2, 0),
                    depthwise(2, 16, 6, 7, 5, 2, 4), depthwise(1, 16, 6, 5, 3, 3, 2), depthwise(1, 19, 4, 5, 1, 1, 0),
                    depthwise(1, 24, 4, 5, 1, 2, 0), depthwise(1, 16, 1, 1, 3, 1, 4), depthwise(33, 136, 2, 2, 3, 1, 1),
                    depthwise(1, 8, 3, 3, 3, 2, 5), depthwise(1, 8, 3, 3, 5, 1, 6)),
    [](const auto& test) { return test::name(test.param); });

/// Enough threads for the large tiles.
class CudaDepthwiseInLargeTiles : public testing::TestWithParam<ConvCase> {};

TEST_P(CudaDepthwiseInLargeTiles, EqualsItsTwinInFloat64) {
  const ConvCase c = GetParam();
  at::manual_seed(7);
  const at::Tensor x = test::random_input(c).to(at::kBFloat16);
  const at::Tensor weight = test::random_weight(c);
  const at::Tensor bias = at::randn({c.channels});
  const Exact expected = exact(x, weight, bias, c);
  expect_near(step(emulated, x, weight, bias, expected.grad, c), expected, at::kBFloat16, at::kFloat);
}

INSTANTIATE_TEST_SUITE_P(Shapes, CudaDepthwiseInLargeTiles,
                         testing::Values(depthwise(1030, 64, 3, 5, 3, 1, 1), depthwise(1030, 64, 3, 9, 3, 2, 1),
                                         depthwise(690, 64, 3, 5, 5, 1, 2), depthwise(460, 64, 3, 9, 5, 2, 2)),
                         [](const auto& test) { return test::name(test.param); });

TEST(CudaDepthwiseConv2d, GivesAnImageTheSameBitsInAnyBatch) {
  at::manual_seed(2);
  for (const ConvCase& c : {depthwise(1030, 64, 3, 5, 3, 1, 1), depthwise(1030, 64, 3, 9, 3, 2, 1),
                            depthwise(690, 64, 3, 5, 5, 1, 2), depthwise(70, 20, 5, 6, 3, 2, 1)}) {
    SCOPED_TRACE(test::name(c));
    const at::Tensor x = test::random_input(c).to(at::kBFloat16);
    const at::Tensor weight = test::random_weight(c);
    const at::Tensor y = cuda_emulated::depthwise_forward(x, weight, {}, false, c.stride, c.padding);
    const at::Tensor grad = y.sin();
    const at::Tensor grad_x = cuda_emulated::depthwise_grad_input(grad, x, weight, c.stride, c.padding);
    const auto last = [](const at::Tensor& t) { return t.narrow(0, t.size(0) - 1, 1); };
    EXPECT_TRUE(at::equal(cuda_emulated::depthwise_forward(last(x), weight, {}, false, c.stride, c.padding), last(y)));
    EXPECT_TRUE(
        at::equal(cuda_emulated::depthwise_grad_input(last(grad), last(x), weight, c.stride, c.padding), last(grad_x)));
  }
}

TEST(CudaDepthwiseConv2d, AppliesSiluInTheSamePass) {
  at::manual_seed(3);
  for (const ConvCase& c : {depthwise(2, 24, 5, 6, 3, 1, 1), depthwise(2, 7, 5, 6, 3, 2, 1)}) {
    const at::Tensor x = test::random_input(c);
    const at::Tensor weight = test::random_weight(c);
    const at::Tensor bias = at::randn({c.channels});
    const auto wide = [](const at::Tensor& t) { return t.to(at::kDouble); };
    const at::Tensor expected = at::silu(test::twin(wide(x), wide(weight), wide(bias), c));
    EXPECT_LT(distance(cuda_emulated::depthwise_forward(x, weight, bias, true, c.stride, c.padding), expected), 1e-6);
  }
}

TEST(CudaDepthwiseConv2d, TakesAnyStridesAndAddresses) {
  const ConvCase c = depthwise(3, 24, 5, 4, 3, 1, 1);
  at::manual_seed(4);
  const at::Tensor x = test::random_input(c);
  const at::Tensor weight = at::randn({24, 1, 3, 3});
  const at::Tensor bias = at::randn({24});
  const at::Tensor grad = channels_last(at::randn({3, 24, 5, 4}));
  const Result expected = step(emulated, x, weight, bias, grad, c);
  // one value behind a multiple of 16 bytes
  const auto shifted = [](const at::Tensor& t) {
    const at::Tensor values = at::empty({t.numel() + 1}, t.options()).narrow(0, 1, t.numel());
    return values.as_strided(t.sizes(), t.strides(), 1).copy_(t);
  };
  const at::Tensor strided = at::randn({3, 48, 5, 8}).slice(1, 0, 48, 2).slice(3, 0, 8, 2).copy_(x);
  const at::Tensor strided_weight = at::randn({24, 1, 3, 6}).slice(3, 0, 6, 2).copy_(weight);
  for (const Result& actual : {step(emulated, x.contiguous(), weight, bias, grad.contiguous(), c),
                               step(emulated, strided, strided_weight, bias, grad, c),
                               step(emulated, shifted(x), shifted(weight), shifted(bias), shifted(grad), c)}) {
    EXPECT_TRUE(at::equal(actual.y, expected.y));
    EXPECT_TRUE(at::equal(actual.grad_x, expected.grad_x));
    EXPECT_TRUE(at::equal(actual.grad_weight, expected.grad_weight));
  }
}

TEST(CudaDepthwiseConv2d, ComputesOnlyTheGradientsThatAreWanted) {
  const at::Tensor x = at::randn({2, 8, 4, 4});
  const at::Tensor weight = at::randn({8, 1, 3, 3});
  const auto convolve = [](const at::Tensor& from, const at::Tensor& filter) {
    return cuda_emulated::depthwise_conv2d(from, filter, {}, 1, 1);
  };
  EXPECT_FALSE(convolve(x, weight).requires_grad());
  for (const bool for_x : {true, false}) {
    const at::Tensor leaf_x = x.detach().requires_grad_(for_x);
    const at::Tensor leaf_weight = weight.detach().requires_grad_(!for_x);
    convolve(leaf_x, leaf_weight).sum().backward();
    EXPECT_EQ(leaf_x.grad().defined(), for_x);
    EXPECT_EQ(leaf_weight.grad().defined(), !for_x);
  }
  const c10::InferenceMode inference;
  EXPECT_TRUE(convolve(x, weight).is_inference());
}

TEST(CudaDepthwiseConv2d, HasASecondDerivative) {
  const ConvCase c = depthwise(2, 6, 5, 4, 3, 2, 1);
  at::manual_seed(5);
  const at::Tensor x = at::randn({2, 6, 5, 4}).requires_grad_();
  const at::Tensor weight = at::randn({6, 1, 3, 3}).requires_grad_();
  const auto second = [&](const at::Tensor& y) {
    const auto first = torch::autograd::grad({y.square().sum()}, {x, weight}, {}, true, true);
    return torch::autograd::grad({first[0].square().sum() + first[1].square().sum()}, {x, weight});
  };
  const auto actual = second(cuda_emulated::depthwise_conv2d(x, weight, {}, 2, 1));
  const auto expected = second(test::twin(x, weight, {}, c));
  EXPECT_LT(distance(actual[0], expected[0]), 1e-5);
  EXPECT_LT(distance(actual[1], expected[1]), 1e-5);
}

TEST(CudaDepthwiseConv2d, AcceptsAnEmptyBatch) {
  const at::Tensor x = at::empty({0, 8, 4, 4}).requires_grad_();
  const at::Tensor weight = at::randn({8, 1, 3, 3}).requires_grad_();
  const at::Tensor y = cuda_emulated::depthwise_conv2d(x, weight, {}, 2, 1);
  EXPECT_EQ(y.sizes(), at::IntArrayRef({0, 8, 2, 2}));
  y.sum().backward();
  EXPECT_EQ(weight.grad().abs().sum().item<float>(), 0.0f);
}

TEST(CudaDepthwiseConv2d, RefusesWhatItCannotDo) {
  const at::Tensor x = at::randn({2, 8, 4, 4});
  const at::Tensor weight = at::randn({8, 1, 3, 3});
  const auto refuses = [](const at::Tensor& from, const at::Tensor& filter, const at::Tensor& bias,
                          std::int64_t stride) {
    EXPECT_THROW(cuda_emulated::depthwise_conv2d(from, filter, bias, stride, 1), c10::Error);
  };
  refuses(x.to(at::kDouble), weight, {}, 1);
  refuses(x[0], weight, {}, 1);
  refuses(x, at::randn({8, 8, 3, 3}), {}, 1);
  refuses(x, at::randn({8, 1, 2, 2}), {}, 1);
  refuses(x, at::randn({8, 1, 7, 7}), {}, 1);
  refuses(x, weight, at::randn({7}), 1);
  refuses(x, weight, {}, 0);
  EXPECT_THROW(cuda_emulated::depthwise_grad_input(x.narrow(2, 0, 3), x, weight, 1, 1), c10::Error);
  EXPECT_THROW(cuda_emulated::depthwise_grad_weight(x.to(at::kBFloat16), x, weight, 1, 1), c10::Error);
  // no memory behind it: what the kernels' indices cannot reach has to be seen before
  const at::Tensor huge = at::empty_strided({1 << 12, 8, 1 << 10, 1 << 10}, {0, 0, 0, 0});
  EXPECT_THROW(cuda_emulated::depthwise_forward(huge, weight, {}, false, 1, 1), c10::Error);
}

/// conv2d() as the network calls it.
class DepthwiseOnCard : public testing::TestWithParam<ConvCase> {
 protected:
  void SetUp() override {
    if (!cuda_kernels_built() || !torch::cuda::is_available()) {
      GTEST_SKIP() << "needs a card and a build with CUDA";
    }
  }
};

TEST_P(DepthwiseOnCard, EqualsItsTwinInFloat64) {
  const ConvCase c = GetParam();
  for (const auto& [map, filter] : kTypes) {
    SCOPED_TRACE(std::string(c10::toString(map)) + " beside " + c10::toString(filter));
    at::manual_seed(6);
    const at::Tensor x = test::random_input(c).to(map);
    const at::Tensor weight = test::random_weight(c).to(filter);
    const at::Tensor bias = at::randn({c.channels}).to(filter);
    const Exact expected = exact(x, weight, bias, c);
    const Convolution ours = [](const at::Tensor& from, const at::Tensor& taps, const at::Tensor& offset,
                                const ConvCase& shape) {
      return conv2d(from, taps, offset, shape.stride, shape.padding, shape.groups);
    };
    const auto run = [&] {
      return step(ours, x.to(at::kCUDA), weight.to(at::kCUDA), bias.to(at::kCUDA), expected.grad.to(at::kCUDA), c);
    };
    const Result actual = run();
    expect_near(actual, expected, map, filter);
    const Result again = run();
    EXPECT_TRUE(at::equal(again.y, actual.y));
    EXPECT_TRUE(at::equal(again.grad_x, actual.grad_x));
    EXPECT_TRUE(at::equal(again.grad_weight, actual.grad_weight));
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, DepthwiseOnCard,
                         testing::Values(depthwise(128, 1536, 1, 1, 3, 1, 1), depthwise(128, 960, 2, 2, 3, 2, 1),
                                         depthwise(32, 256, 48, 48, 3, 2, 1), depthwise(32, 512, 24, 24, 3, 1, 1),
                                         depthwise(7, 17, 11, 13, 3, 1, 1), depthwise(5, 40, 14, 11, 5, 2, 2),
                                         depthwise(5, 40, 14, 11, 5, 1, 2), depthwise(2, 9, 9, 8, 7, 2, 3)),
                         [](const auto& test) { return test::name(test.param); });

}  // namespace
}  // namespace effnetv2
