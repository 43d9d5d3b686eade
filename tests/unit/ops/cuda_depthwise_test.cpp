// The card's depthwise convolution, its kernels run on the CPU.
#define EFFNETV2_CUDA_NAMESPACE cuda_emulated
#include "effnetv2/ops/cuda_depthwise.h"

#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "support/convolution.h"

namespace effnetv2 {
namespace {

using test::channels_last;
using test::ConvCase;
using test::distance;

ConvCase depthwise(std::int64_t images, std::int64_t channels, std::int64_t height, std::int64_t width,
                   std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
  return {images, channels, height, width, channels, kernel, stride, padding, channels};
}

struct Tensors {
  at::Tensor x, weight, bias;
};

Tensors random_tensors(const ConvCase& c, at::ScalarType dtype) {
  at::manual_seed(1);
  return {test::random_input(c).to(dtype), test::random_weight(c), at::randn({c.channels})};
}

/// The result and the gradients of x, weight and bias by `conv`, with a gradient that the result alone decides.
template <typename Conv>
std::vector<at::Tensor> pass(const Tensors& t, const Conv& conv) {
  const at::Tensor x = t.x.detach().requires_grad_(), weight = t.weight.detach().requires_grad_(),
                   bias = t.bias.detach().requires_grad_();
  const at::Tensor y = conv(x, weight, bias);
  at::manual_seed(2);
  const at::Tensor grad = at::randn(y.sizes()).to(t.x.scalar_type());
  auto results = torch::autograd::grad({y}, {x, weight, bias}, {channels_last(grad).to(y.scalar_type())});
  results.insert(results.begin(), y.detach());
  return results;
}

std::vector<at::Tensor> emulated(const Tensors& t, const ConvCase& c) {
  return pass(t, [&](const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    return cuda_emulated::depthwise_conv2d(x, weight, bias, c.stride, c.padding);
  });
}

class CudaDepthwise : public testing::TestWithParam<ConvCase> {};

TEST_P(CudaDepthwise, EqualsItsTwinInFloat64) {
  const ConvCase c = GetParam();
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    SCOPED_TRACE(dtype);
    const Tensors t = random_tensors(c, dtype);
    const Tensors wide{t.x.to(at::kDouble), t.weight.to(at::kDouble), t.bias.to(at::kDouble)};
    const auto exact = pass(wide, [&](const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
      return test::twin(x, weight, bias, c);
    });
    const auto actual = emulated(t, c);
    const double map = dtype == at::kFloat ? 1e-6 : 4e-3;
    EXPECT_TRUE(actual[0].is_contiguous(at::MemoryFormat::ChannelsLast));
    EXPECT_EQ(actual[0].scalar_type(), dtype);
    EXPECT_LT(distance(actual[0], exact[0]), map);
    EXPECT_EQ(actual[1].scalar_type(), dtype);
    EXPECT_LT(distance(actual[1], exact[1]), dtype == at::kFloat ? 1e-6 : 1e-2);
    EXPECT_EQ(actual[2].scalar_type(), at::kFloat);
    EXPECT_LT(distance(actual[2], exact[2]), dtype == at::kFloat ? 3e-6 : 1e-2);
    EXPECT_LT(distance(actual[3], exact[3]), dtype == at::kFloat ? 3e-6 : 1e-2);
    const auto again = emulated(t, c);
    for (std::size_t i = 0; i < actual.size(); ++i) {
      EXPECT_TRUE(at::equal(actual[i], again[i])) << "result " << i << " differs in the second run";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, CudaDepthwise,
    testing::Values(depthwise(2, 8, 1, 1, 3, 1, 1), depthwise(3, 264, 1, 1, 3, 1, 1), depthwise(1, 1, 1, 1, 3, 2, 1),
                    depthwise(2, 48, 2, 2, 3, 1, 1), depthwise(7, 17, 2, 2, 3, 2, 1), depthwise(2, 3, 3, 5, 3, 1, 1),
                    depthwise(1, 17, 3, 5, 3, 2, 1), depthwise(3, 48, 7, 7, 3, 1, 1), depthwise(2, 40, 7, 7, 3, 2, 1),
                    depthwise(1, 100, 9, 16, 3, 1, 1), depthwise(2, 33, 16, 9, 3, 2, 1),
                    depthwise(1, 8, 30, 41, 3, 1, 1), depthwise(2, 48, 7, 7, 5, 1, 2), depthwise(2, 17, 11, 8, 5, 2, 2),
                    depthwise(1, 24, 2, 2, 5, 1, 2), depthwise(2, 8, 9, 8, 7, 1, 3), depthwise(2, 9, 9, 8, 7, 2, 3),
                    depthwise(2, 40, 5, 6, 3, 1, 0), depthwise(1, 16, 6, 5, 3, 3, 2), depthwise(1, 19, 4, 5, 1, 1, 0),
                    depthwise(1, 19, 4, 5, 1, 2, 0), depthwise(1, 16, 1, 1, 3, 1, 4), depthwise(33, 136, 2, 2, 3, 1, 1),
                    depthwise(1, 8, 3, 3, 3, 2, 5), depthwise(4, 8, 17, 33, 3, 2, 1), depthwise(2, 4, 13, 14, 5, 2, 2)),
    [](const auto& test) { return test::name(test.param); });

TEST(CudaDepthwiseConv2d, TakesAnyStridesAndAddresses) {
  const ConvCase c = depthwise(3, 10, 5, 4, 3, 1, 1);
  Tensors t = random_tensors(c, at::kFloat);
  const auto expected = emulated(t, c);
  const Tensors strided{at::randn({3, 20, 5, 8}).slice(1, 0, 20, 2).slice(3, 0, 8, 2).copy_(t.x),
                        at::randn({10, 1, 3, 6}).slice(3, 0, 6, 2).copy_(t.weight), t.bias};
  const Tensors shifted{
      at::randn({3 * 10 * 5 * 4 + 1}).slice(0, 1).as_strided(t.x.sizes(), t.x.strides(), 1).copy_(t.x), t.weight,
      t.bias};
  for (const auto& actual : {emulated(strided, c), emulated(shifted, c)}) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_TRUE(at::equal(actual[i], expected[i])) << i;
    }
  }
}

TEST(CudaDepthwiseConv2d, WithSiluIsTwoOperations) {
  const ConvCase c = depthwise(2, 24, 6, 7, 3, 1, 1);
  const Tensors t = random_tensors(c, at::kFloat);
  const at::Tensor y = cuda_emulated::depthwise_forward(t.x, t.weight, t.bias, true, 1, 1);
  EXPECT_LT(distance(y, at::silu(test::twin(t.x, t.weight, t.bias, c))), 1e-6);
}

TEST(CudaDepthwiseConv2d, ComputesOnlyTheGradientsThatAreWanted) {
  const ConvCase c = depthwise(2, 8, 4, 4, 3, 1, 1);
  const Tensors t = random_tensors(c, at::kFloat);
  EXPECT_FALSE(cuda_emulated::depthwise_conv2d(t.x, t.weight, {}, 1, 1).requires_grad());
  for (const bool for_x : {true, false}) {
    const at::Tensor x = t.x.detach().requires_grad_(for_x), weight = t.weight.detach().requires_grad_(!for_x);
    cuda_emulated::depthwise_conv2d(x, weight, {}, 1, 1).sum().backward();
    EXPECT_EQ(x.grad().defined(), for_x);
    EXPECT_EQ(weight.grad().defined(), !for_x);
  }
}

TEST(CudaDepthwiseConv2d, RefusesWhatItCannotTake) {
  const at::Tensor x = at::randn({2, 8, 4, 4}), weight = at::randn({8, 1, 3, 3});
  EXPECT_THROW(cuda_emulated::depthwise_conv2d(x.to(at::kDouble), weight, {}, 1, 1), c10::Error);
  EXPECT_THROW(cuda_emulated::depthwise_conv2d(x, at::randn({8, 1, 2, 2}), {}, 1, 1), c10::Error);
  EXPECT_THROW(cuda_emulated::depthwise_conv2d(x, at::randn({4, 1, 3, 3}), {}, 1, 1), c10::Error);
  EXPECT_THROW(cuda_emulated::depthwise_conv2d(x, weight, at::randn({4}), 1, 1), c10::Error);
  EXPECT_THROW(cuda_emulated::depthwise_conv2d(x, weight, {}, 0, 1), c10::Error);
  EXPECT_THROW(cuda_emulated::depthwise_conv2d(x, at::randn({8, 1, 7, 7}), {}, 1, 0), c10::Error);
}

}  // namespace
}  // namespace effnetv2
