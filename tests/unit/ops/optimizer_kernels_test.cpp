#include "effnetv2/ops/optimizer_kernels.h"

#include <cstring>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "effnetv2/core/cpu_features.h"
#include "effnetv2/core/rng.h"

namespace effnetv2 {
namespace {

using Floats = std::vector<float>;

Floats draw(Rng& rng, std::size_t n, bool positive = false) {
  Floats values(n);
  for (float& value : values) {
    value = static_cast<float>(rng.normal());
    value = positive ? value * value : value;
  }
  return values;
}

struct Buffers {
  Floats value, grad, first, second;

  Buffers(Rng& rng, std::size_t n, UpdateKind kind)
      : value(draw(rng, n)),
        grad(draw(rng, n)),
        first(draw(rng, n, kind != UpdateKind::adam && kind != UpdateKind::sgd_momentum)),
        second(draw(rng, n, kind == UpdateKind::adam)) {}

  UpdateSlice slice(std::size_t begin, std::size_t end) {
    return {value.data() + begin, grad.data() + begin, first.data() + begin, second.data() + begin,
            static_cast<std::int64_t>(end - begin)};
  }
};

bool same_bits(const Floats& a, const Floats& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

void expect_near(const Floats& got, const at::Tensor& expected, const std::string& what) {
  const at::Tensor tensor = at::tensor(got).to(at::kDouble);
  EXPECT_TRUE(at::allclose(tensor, expected, 1e-6, 1e-6)) << what << ": " << (tensor - expected).abs().max();
}

UpdateRule rule(bool nesterov, double l2, double shrink) {
  UpdateRule rule;
  rule.step_size = 0.03;
  rule.shrink = shrink;
  rule.l2 = l2;
  rule.beta1 = 0.8;
  rule.beta2 = 0.95;
  rule.correction = 1.7;
  rule.eps = 1e-3;
  rule.momentum = 0.7;
  rule.nesterov = nesterov;
  return rule;
}

struct Case {
  CpuLevel level;
  UpdateKind kind;
};

class UpdateKernel : public testing::TestWithParam<Case> {
 protected:
  void run(const UpdateRule& of, const UpdateSlice& slice) const {
    optimizer_kernels(GetParam().level).update[static_cast<int>(GetParam().kind)](of, slice);
  }
};

TEST_P(UpdateKernel, EqualsTheReferenceAtOddSizes) {
  Rng rng(1);
  const UpdateKind kind = GetParam().kind;
  // only Adam has both ways to decay
  const double shrink = kind == UpdateKind::adam ? 0.99 : 1.0;
  for (const std::size_t n : {0u, 1u, 2u, 3u, 7u, 8u, 9u, 15u, 16u, 17u, 31u, 32u, 33u, 63u, 65u, 100u, 1003u}) {
    for (const bool nesterov : {false, true}) {
      for (const double l2 : {0.0, 0.1}) {
        Buffers got(rng, n, kind);
        const Buffers before = got;
        const auto wide = [](const Floats& values) { return at::tensor(values).to(at::kDouble); };
        const at::Tensor value = wide(got.value), first = wide(got.first), second = wide(got.second);
        const UpdateRule of = rule(nesterov, l2, shrink);
        reference_update(kind, of, value, wide(got.grad), first, second);
        run(of, got.slice(0, n));
        expect_near(got.value, value, "value of " + std::to_string(n));
        expect_near(got.first, first, "first of " + std::to_string(n));
        expect_near(got.second, second, "second of " + std::to_string(n));
        EXPECT_TRUE(same_bits(got.grad, before.grad));
      }
    }
  }
}

TEST_P(UpdateKernel, GivesTheSameBitsHoweverItIsCutAndOnEveryLevel) {
  Rng rng(2);
  const auto baseline = optimizer_kernels(CpuLevel::baseline).update[static_cast<int>(GetParam().kind)];
  const std::size_t n = 777;
  for (int round = 0; round < 20; ++round) {
    Buffers whole(rng, n, GetParam().kind);
    Buffers parts = whole;
    const UpdateRule of = rule(round % 2 == 0, 0.05, 1.0);
    baseline(of, whole.slice(0, n));
    for (std::size_t begin = 0; begin < n;) {
      const std::size_t end = std::min(n, begin + 1 + rng.below(90));
      run(of, parts.slice(begin, end));
      begin = end;
    }
    ASSERT_TRUE(same_bits(whole.value, parts.value));
    ASSERT_TRUE(same_bits(whole.first, parts.first));
    ASSERT_TRUE(same_bits(whole.second, parts.second));
  }
}

TEST_P(UpdateKernel, TouchesNothingOutsideItsSlice) {
  Rng rng(3);
  Buffers buffers(rng, 40, GetParam().kind);
  const Buffers before = buffers;
  run(rule(false, 0.1, 1.0), buffers.slice(3, 36));
  for (const std::size_t i : {0u, 1u, 2u, 36u, 37u, 38u, 39u}) {
    EXPECT_EQ(buffers.value[i], before.value[i]);
    EXPECT_EQ(buffers.first[i], before.first[i]);
    EXPECT_EQ(buffers.second[i], before.second[i]);
  }
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const CpuLevel level : supported_cpu_levels()) {
    for (int kind = 0; kind < kUpdateKinds; ++kind) {
      all.push_back({level, static_cast<UpdateKind>(kind)});
    }
  }
  return all;
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  static const std::string kinds[] = {"adam", "sgd", "sgd_momentum", "rmsprop", "rmsprop_momentum"};
  return to_string(info.param.level) + "_" + kinds[static_cast<int>(info.param.kind)];
}

INSTANTIATE_TEST_SUITE_P(EveryLevel, UpdateKernel, testing::ValuesIn(cases()), case_name);

TEST(LerpKernel, EqualsTheReferenceAndItsOwnPartsOnEveryLevel) {
  Rng rng(4);
  for (const CpuLevel level : supported_cpu_levels()) {
    const auto lerp = optimizer_kernels(level).lerp;
    for (const std::size_t n : {0u, 1u, 5u, 16u, 33u, 1003u}) {
      for (const double weight : {0.9, 0.5, 1e-3, 1.0}) {
        const Floats value = draw(rng, n);
        Floats average = draw(rng, n), parts = average;
        const at::Tensor expected = at::tensor(average).to(at::kDouble);
        reference_lerp(expected, at::tensor(value).to(at::kDouble), weight);
        lerp(average.data(), value.data(), weight, static_cast<std::int64_t>(n));
        expect_near(average, expected, to_string(level));
        for (std::size_t i = 0; i < n; ++i) {
          optimizer_kernels(CpuLevel::baseline).lerp(parts.data() + i, value.data() + i, weight, 1);
        }
        EXPECT_TRUE(same_bits(average, parts));
      }
    }
  }
}

TEST(LerpKernel, AnAverageOfEqualValuesStaysPut) {
  Rng rng(5);
  const Floats value = draw(rng, 1000);
  for (const CpuLevel level : supported_cpu_levels()) {
    Floats average = value;
    optimizer_kernels(level).lerp(average.data(), value.data(), 0.1234, 1000);
    EXPECT_TRUE(same_bits(average, value));
  }
}

TEST(SumOfSquaresKernel, IsPreciseAndTheSameOnEveryLevel) {
  Rng rng(6);
  for (const std::size_t n : {0u, 1u, 31u, 32u, 33u, 100u, 65536u, 65537u}) {
    const Floats values = draw(rng, n);
    const double expected = at::tensor(values).to(at::kDouble).square().sum().item<double>();
    const double baseline =
        optimizer_kernels(CpuLevel::baseline).sum_of_squares(values.data(), static_cast<std::int64_t>(n));
    EXPECT_NEAR(baseline, expected, 1e-13 * expected);
    for (const CpuLevel level : supported_cpu_levels()) {
      EXPECT_EQ(optimizer_kernels(level).sum_of_squares(values.data(), static_cast<std::int64_t>(n)), baseline);
    }
  }
}

TEST(SumOfSquaresKernel, DoesNotOverflowInFloats) {
  const Floats values(100, 3e38f);
  EXPECT_DOUBLE_EQ(optimizer_kernels(cpu_level()).sum_of_squares(values.data(), 100),
                   100.0 * static_cast<double>(3e38f) * static_cast<double>(3e38f));
}

TEST(UpdateSlots, CountWhatTheRulesKeep) {
  EXPECT_EQ(update_slots(UpdateKind::adam), 2);
  EXPECT_EQ(update_slots(UpdateKind::sgd), 0);
  EXPECT_EQ(update_slots(UpdateKind::sgd_momentum), 1);
  EXPECT_EQ(update_slots(UpdateKind::rmsprop), 1);
  EXPECT_EQ(update_slots(UpdateKind::rmsprop_momentum), 2);
}

}  // namespace
}  // namespace effnetv2
