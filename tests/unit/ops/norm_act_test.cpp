#include "effnetv2/ops/norm_act.h"

#include <functional>
#include <ostream>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "effnetv2/core/cpu_features.h"

#include "support/convolution.h"

namespace effnetv2 {
namespace {

using test::channels_last;
using test::distance;

enum class Kind { plain, silu, residual, silu_residual, dropped_rows, excite };

struct Case {
  std::int64_t images, channels, height, width;
  Kind kind;
  at::ScalarType dtype = at::kFloat;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  static constexpr const char* kKinds[] = {"plain", "silu", "residual", "silu_residual", "dropped_rows", "excite"};
  return out << "N" << c.images << "_C" << c.channels << "_" << c.height << "x" << c.width << "_"
             << kKinds[static_cast<int>(c.kind)] << (c.dtype == at::kFloat ? "" : "_bf16");
}

/// Everything that goes in, drawn anew from one seed.
struct Inputs {
  at::Tensor x, dy;
  Norm norm;
  Excite excite;
  Residual residual;
  Activation activation;

  explicit Inputs(const Case& c) {
    at::manual_seed(7);
    const std::vector<std::int64_t> sizes{c.images, c.channels, c.height, c.width};
    // a channel far from 0 must not lose its variance
    x = channels_last(at::randn(sizes) * 2.0 + 5.0 * at::randn({1, c.channels, 1, 1})).to(c.dtype);
    dy = channels_last(at::randn(sizes)).to(c.dtype);
    norm = {at::rand({c.channels}) + 0.5,
            at::randn({c.channels}),
            at::randn({c.channels}),
            at::rand({c.channels}),
            1e-3,
            0.1};
    activation = c.kind == Kind::silu || c.kind == Kind::silu_residual || c.kind == Kind::excite ? Activation::silu
                                                                                                 : Activation::none;
    if (c.kind == Kind::residual || c.kind == Kind::silu_residual || c.kind == Kind::dropped_rows) {
      residual.x = channels_last(at::randn(sizes)).to(c.dtype);
    }
    if (c.kind == Kind::dropped_rows) {
      residual.keep = (at::rand({c.images}) < 0.6).to(at::kFloat);
      residual.scale = 1.25;
    }
    const std::int64_t squeezed = std::max<std::int64_t>(1, c.channels / 4);
    excite = {at::randn({squeezed, c.channels, 1, 1}) / std::sqrt(static_cast<double>(c.channels)),
              at::randn({squeezed}), at::randn({c.channels, squeezed, 1, 1}), at::randn({c.channels})};
  }

  /// The leaves of the gradient.
  std::vector<at::Tensor*> leaves(Kind kind) {
    std::vector<at::Tensor*> all{&x, &norm.weight, &norm.bias};
    if (residual.x.defined()) {
      all.push_back(&residual.x);
    }
    if (kind == Kind::excite) {
      for (auto* one : {&excite.squeeze_weight, &excite.squeeze_bias, &excite.excite_weight, &excite.excite_bias}) {
        all.push_back(one);
      }
    }
    return all;
  }

  Inputs in_float64() const {
    Inputs exact = *this;
    for (auto* one : {&exact.x, &exact.dy, &exact.norm.weight, &exact.norm.bias, &exact.norm.running_mean,
                      &exact.norm.running_var, &exact.residual.x, &exact.residual.keep, &exact.excite.squeeze_weight,
                      &exact.excite.squeeze_bias, &exact.excite.excite_weight, &exact.excite.excite_bias}) {
      if (one->defined()) {
        *one = one->to(at::kDouble);
      }
    }
    return exact;
  }
};

using Operation = std::function<at::Tensor(const Inputs&)>;

/// The result, the running statistics, and the gradients of all leaves.
std::vector<at::Tensor> step(Inputs inputs, Kind kind, const Operation& operation) {
  inputs.norm.running_mean = inputs.norm.running_mean.clone();
  inputs.norm.running_var = inputs.norm.running_var.clone();
  std::vector<at::Tensor> leaves;
  for (at::Tensor* leaf : inputs.leaves(kind)) {
    *leaf = leaf->detach().requires_grad_();
    leaves.push_back(*leaf);
  }
  const at::Tensor y = operation(inputs);
  std::vector<at::Tensor> results{y.detach(), inputs.norm.running_mean, inputs.norm.running_var};
  for (const at::Tensor& grad : torch::autograd::grad({y}, leaves, {inputs.dy})) {
    results.push_back(grad);
  }
  return results;
}

Operation operation(Kind kind, bool training) {
  return [=](const Inputs& in) {
    return kind == Kind::excite ? norm_act_excite(in.x, in.norm, in.excite, training)
                                : norm_act(in.x, in.norm, in.activation, in.residual, training);
  };
}
Operation twin(Kind kind, bool training) {
  return [=](const Inputs& in) {
    return kind == Kind::excite ? reference_norm_act_excite(in.x, in.norm, in.excite, training)
                                : reference_norm_act(in.x, in.norm, in.activation, in.residual, training);
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

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    for (const auto kind :
         {Kind::plain, Kind::silu, Kind::residual, Kind::silu_residual, Kind::dropped_rows, Kind::excite}) {
      all.push_back({2, 24, 16, 16, kind, dtype});
      all.push_back({33, 256, 1, 1, kind, dtype});
      all.push_back({3, 17, 5, 7, kind, dtype});
      all.push_back({2, 1, 1, 3, kind, dtype});
      all.push_back({5, 96, 3, 3, kind, dtype});
    }
    all.push_back({16, 48, 40, 40, Kind::silu, dtype});
    all.push_back({16, 48, 40, 40, Kind::excite, dtype});
  }
  return all;
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
