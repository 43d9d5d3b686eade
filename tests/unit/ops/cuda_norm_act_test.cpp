// The card's BatchNorm with what follows it, its kernels run on the CPU.
#define EFFNETV2_CUDA_NAMESPACE cuda_emulated
#include "effnetv2/ops/cuda_norm_act.h"

#include <cmath>
#include <sstream>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/norm_cases.h"

namespace effnetv2 {
namespace {

using namespace test::norm_cases;
using test::distance;

Operation emulated(Kind kind, bool training, bool in_place = false) {
  return [=](const Inputs& in) {
    return kind == Kind::excite
               ? cuda_emulated::norm_act_excite(in.x, in.norm, in.excite, training, in_place)
               : cuda_emulated::norm_act(in.x, in.norm, in.activation, in.residual, training, in_place);
  };
}

class CudaNormAct : public testing::TestWithParam<Case> {};

TEST_P(CudaNormAct, TrainingEqualsItsTwinInFloat64) {
  const Case c = GetParam();
  const Inputs inputs(c);
  const auto exact = step(inputs.in_float64(), c.kind, twin(c.kind, true));
  const auto results = step(inputs, c.kind, emulated(c.kind, true)),
             again = step(inputs, c.kind, emulated(c.kind, true));
  const bool half = c.dtype == at::kBFloat16;
  ASSERT_EQ(results.size(), exact.size());
  EXPECT_EQ(results[0].scalar_type(), c.dtype);
  EXPECT_TRUE(results[0].is_contiguous(at::MemoryFormat::ChannelsLast));
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const bool rounded = half && results[i].scalar_type() == at::kBFloat16;
    EXPECT_LT(distance(results[i], exact[i]), rounded ? 4e-3 : half ? 2e-4 : 2e-5) << "result " << i;
    EXPECT_TRUE(at::equal(results[i], again[i])) << "result " << i << " differs in the second run";
  }
}

TEST_P(CudaNormAct, EvaluationEqualsItsTwinInFloat64) {
  const Case c = GetParam();
  const Inputs inputs(c);
  const at::Tensor exact = twin(c.kind, false)(inputs.in_float64());
  const double most = c.dtype == at::kBFloat16 ? 4e-3 : 3e-6;
  EXPECT_LT(distance(emulated(c.kind, false)(inputs), exact), most);
  Inputs consumed = inputs;
  consumed.x = inputs.x.clone();
  const at::Tensor y = emulated(c.kind, false, true)(consumed);
  EXPECT_LT(distance(y, exact), most);
  EXPECT_TRUE(y.is_alias_of(consumed.x));
}

std::vector<Case> all_cases() {
  auto all = cases();
  all.push_back({1, 264, 9, 9, Kind::silu_residual, at::kBFloat16});  // more channels than a block takes
  all.push_back({1, 2200, 2, 2, Kind::excite, at::kBFloat16});
  all.push_back({3, 12, 30, 30, Kind::silu, at::kFloat});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Shapes, CudaNormAct, testing::ValuesIn(all_cases()), [](const auto& test) {
  std::ostringstream name;
  name << test.param;
  return name.str();
});

TEST(CudaNormActOperation, TakesAnyStridesAndAddresses) {
  const Case c{3, 16, 5, 4, Kind::silu_residual};
  const Inputs inputs(c);
  const auto expected = step(inputs, c.kind, emulated(c.kind, true));
  Inputs strided = inputs, shifted = inputs;
  strided.x = inputs.x.contiguous();
  strided.dy = inputs.dy.contiguous();
  strided.residual.x = at::randn({3, 32, 5, 4}).slice(1, 0, 32, 2).copy_(inputs.residual.x);
  shifted.x = at::empty({inputs.x.numel() + 1}).as_strided(inputs.x.sizes(), inputs.x.strides(), 1).copy_(inputs.x);
  for (const auto& other : {strided, shifted}) {
    const auto actual = step(other, c.kind, emulated(c.kind, true));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_TRUE(at::equal(actual[i], expected[i])) << i;
    }
  }
}

TEST(CudaNormActOperation, NaNsAreNotSmoothedOver) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    Inputs inputs(Case{4, 16, 4, 4, Kind::silu, dtype});
    inputs.x[1][3][0][0] = NAN;
    const at::Tensor y = emulated(Kind::silu, true)(inputs);
    EXPECT_TRUE(y.select(1, 3).isnan().all().item<bool>());
    EXPECT_FALSE(y.select(1, 4).isnan().any().item<bool>());
    EXPECT_TRUE(inputs.norm.running_var[3].isnan().item<bool>());
  }
}

TEST(CudaNormActOperation, CountsItsBatchesInTraining) {
  Norm norm{at::ones({40}), at::zeros({40}), at::zeros({40}), at::ones({40}), 1e-3, 0.1, at::full({}, 41, at::kLong)};
  const Excite excite{at::ones({2, 40, 1, 1}), at::ones({2}), at::ones({40, 2, 1, 1}), at::ones({40})};
  const at::Tensor x = at::randn({3, 40, 2, 2});
  for (const bool training : {false, true}) {
    cuda_emulated::norm_act(x, norm, Activation::silu, {}, training, false);
    cuda_emulated::norm_act_excite(x, norm, excite, training, false);
    EXPECT_EQ(norm.batches.item<std::int64_t>(), training ? 43 : 41);
  }
}

TEST(CudaNormActOperation, HugeValuesSaturateLikeSiLU) {
  at::Tensor x = at::full({1, 16, 1, 2}, 0.0f);
  x.select(3, 0).fill_(-1e30f);
  x.select(3, 1).fill_(1e4f);
  const Norm norm{at::ones({16}), at::zeros({16}), at::zeros({16}), at::ones({16}), 0.0, 0.1};
  const at::Tensor y = cuda_emulated::norm_act(x, norm, Activation::silu, {}, false, false);
  EXPECT_NEAR(y.select(3, 0).max().item<double>(), 0.0, 1e-6);
  EXPECT_FLOAT_EQ(y.select(3, 1).max().item<float>(), 1e4f);
}

}  // namespace
}  // namespace effnetv2
