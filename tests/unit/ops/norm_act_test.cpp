#include "effnetv2/ops/norm_act.h"

#include <cmath>
#include <sstream>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "effnetv2/core/cpu_features.h"

#include "support/norm_cases.h"

namespace effnetv2 {
namespace {

using namespace test::norm_cases;
using test::distance;

Operation operation(Kind kind, bool training) {
  return [=](const Inputs& in) {
    return kind == Kind::excite ? norm_act_excite(in.x, in.norm, in.excite, training)
                                : norm_act(in.x, in.norm, in.activation, in.residual, training);
  };
}

class NormAct : public testing::TestWithParam<Case> {};

TEST_P(NormAct, TrainingEqualsItsTwinInFloat64AtEveryLevel) {
  const Case c = GetParam();
  const Inputs inputs(c);
  const auto exact = step(inputs.in_float64(), c.kind, twin(c.kind, true));
  // results in bfloat16 are rounded to 8 bits, sums of such values to more
  const bool half = c.dtype == at::kBFloat16;
  for (const CpuLevel level : supported_cpu_levels()) {
    SCOPED_TRACE(to_string(level));
    const CpuLevelGuard guard(level);
    const auto results = step(inputs, c.kind, operation(c.kind, true));
    ASSERT_EQ(results.size(), exact.size());
    EXPECT_EQ(results[0].scalar_type(), c.dtype);
    EXPECT_TRUE(results[0].is_contiguous(at::MemoryFormat::ChannelsLast));
    for (std::size_t i = 0; i < exact.size(); ++i) {
      const bool rounded = half && results[i].scalar_type() == at::kBFloat16;
      EXPECT_LT(distance(results[i], exact[i]), rounded ? 4e-3 : half ? 2e-4 : 2e-5) << "result " << i;
    }
  }
}

TEST_P(NormAct, EvaluationEqualsItsTwinInFloat64AtEveryLevel) {
  const Case c = GetParam();
  const Inputs inputs(c);
  const at::Tensor exact = twin(c.kind, false)(inputs.in_float64());
  for (const CpuLevel level : supported_cpu_levels()) {
    SCOPED_TRACE(to_string(level));
    const CpuLevelGuard guard(level);
    const double most = c.dtype == at::kBFloat16 ? 4e-3 : 3e-6;
    EXPECT_LT(distance(operation(c.kind, false)(inputs), exact), most);
    const at::Tensor x = inputs.x.clone();
    const at::Tensor y = c.kind == Kind::excite
                             ? norm_act_excite_consuming(x, inputs.norm, inputs.excite, false)
                             : norm_act_consuming(x, inputs.norm, inputs.activation, inputs.residual, false);
    EXPECT_LT(distance(y, exact), most);
    EXPECT_TRUE(y.is_alias_of(x));
  }
}

TEST_P(NormAct, HasTheSameBitsForAnyThreadCount) {
  const Case c = GetParam();
  const Inputs inputs(c);
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const auto expected = step(inputs, c.kind, operation(c.kind, true));
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    const auto results = step(inputs, c.kind, operation(c.kind, true));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_TRUE(at::equal(results[i], expected[i])) << threads << " threads, result " << i;
    }
  }
  at::set_num_threads(before);
}

INSTANTIATE_TEST_SUITE_P(Shapes, NormAct, testing::ValuesIn(cases()), [](const auto& test) {
  std::ostringstream name;
  name << test.param;
  return name.str();
});

TEST(NormActOperation, InEvaluationNoLeafLosesItsGradient) {
  for (const auto kind : {Kind::residual, Kind::excite}) {
    const Inputs inputs(Case{2, 16, 3, 3, kind});
    Inputs leaves = inputs;
    for (at::Tensor* leaf : leaves.leaves(kind)) {
      const at::Tensor before = *leaf;
      *leaf = before.clone().requires_grad_();
      EXPECT_TRUE(operation(kind, false)(leaves).requires_grad());
      *leaf = before;
    }
  }
}

TEST(NormActOperation, NaNsAreNotSmoothedOver) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const Case c{4, 16, 4, 4, Kind::silu, dtype};
    Inputs inputs(c);
    inputs.x[1][3][0][0] = NAN;
    const at::Tensor y = norm_act(inputs.x, inputs.norm, Activation::silu, {}, true);
    EXPECT_TRUE(y.select(1, 3).isnan().all().item<bool>());
    EXPECT_FALSE(y.select(1, 4).isnan().any().item<bool>());
  }
}

TEST(NormActOperation, CountsItsBatchesInTraining) {
  for (const auto dtype : {at::kFloat, at::kDouble}) {  // kernels, twins
    const auto of = [&](double value) { return at::full({16}, value, dtype); };
    const Norm norm{of(1), of(0), of(0), of(1), 1e-3, 0.1, at::full({}, 41, at::kLong)};
    const Excite excite{at::ones({2, 16, 1, 1}, dtype), at::ones({2}, dtype), at::ones({16, 2, 1, 1}, dtype), of(1)};
    const at::Tensor x = at::randn({3, 16, 2, 2}, dtype);
    for (const bool training : {false, true}) {
      norm_act(x, norm, Activation::silu, {}, training);
      norm_act_excite(x, norm, excite, training);
      EXPECT_EQ(norm.batches.item<std::int64_t>(), training ? 43 : 41);
    }
  }
}

TEST(NormActOperation, HugeValuesSaturateLikeSiLU) {
  at::Tensor x = at::full({1, 16, 1, 2}, 0.0f);
  x.select(3, 0).fill_(-1e30f);
  x.select(3, 1).fill_(1e4f);
  Norm norm{at::ones({16}), at::zeros({16}), at::zeros({16}), at::ones({16}), 0.0, 0.1};
  const at::Tensor y = norm_act(x, norm, Activation::silu, {}, false);
  EXPECT_NEAR(y.select(3, 0).max().item<double>(), 0.0, 1e-6);
  EXPECT_FLOAT_EQ(y.select(3, 1).max().item<float>(), 1e4f);
}

}  // namespace
}  // namespace effnetv2
