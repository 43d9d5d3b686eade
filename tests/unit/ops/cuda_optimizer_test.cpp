#include "effnetv2/ops/cuda_optimizer.h"

#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>

#include "effnetv2/core/error.h"
#include "effnetv2/ops/cuda_device.h"

namespace effnetv2 {
namespace {

struct State {
  at::Tensor value, grad, first, second;
};

State random_state(std::int64_t size, std::int64_t offset) {
  const auto draw = [&] { return at::randn({size + offset}, at::kCUDA).narrow(0, offset, size); };
  // squares are not negative
  return {draw(), draw(), draw().abs(), draw().abs()};
}

UpdateRule rule_of(int i) {
  UpdateRule rule;
  rule.step_size = 0.01 * (1 + i % 3);
  rule.shrink = i % 2 == 0 ? 1.0 : 0.99;
  rule.l2 = i % 5 == 0 ? 0.1 : 0.0;
  rule.correction = 1.0 + 0.1 * (i % 4);
  rule.momentum = 0.9;
  rule.eps = 1e-6;
  return rule;
}

/// Compares in float64 against the reference, so that the bound says how far float32 strays.
void expect_near_reference(UpdateKind kind, const UpdateRule& rule, const State& before, const State& after) {
  const auto wide = [](const at::Tensor& t) { return t.to(at::kCPU, at::kDouble, false, true); };
  State expected{wide(before.value), wide(before.grad), wide(before.first), wide(before.second)};
  reference_update(kind, rule, expected.value, expected.grad, expected.first, expected.second);
  EXPECT_TRUE(at::allclose(wide(after.value), expected.value, 1e-5, 1e-6));
  if (update_slots(kind) >= 1) {
    EXPECT_TRUE(at::allclose(wide(after.first), expected.first, 1e-5, 1e-6));
  }
  if (update_slots(kind) >= 2) {
    EXPECT_TRUE(at::allclose(wide(after.second), expected.second, 1e-5, 1e-6));
  }
}

class CudaOptimizer : public testing::TestWithParam<UpdateKind> {
 protected:
  void SetUp() override {
    if (!cuda_kernels_built() || !torch::cuda::is_available()) {
      GTEST_SKIP() << "needs a card and a build with CUDA";
    }
  }
};

TEST_P(CudaOptimizer, EqualsTheReferenceAtOddSizesAndAlignments) {
  at::manual_seed(7);
  // more tensors than one launch takes, around the chunk and vector borders
  std::vector<std::int64_t> sizes{1, 3, 4, 5, 255, 1023, 4095, 4096, 4097, 100003};
  while (sizes.size() < 150) {
    sizes.push_back(static_cast<std::int64_t>(sizes.size()) * 37);
  }
  std::vector<State> before, after;
  std::vector<CudaUpdate> updates;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    before.push_back(random_state(sizes[i], static_cast<std::int64_t>(i % 2)));
    // narrow() of a copy keeps the odd address
    after.push_back(random_state(sizes[i], static_cast<std::int64_t>(i % 2)));
    after.back().value.copy_(before.back().value);
    after.back().grad.copy_(before.back().grad);
    after.back().first.copy_(before.back().first);
    after.back().second.copy_(before.back().second);
    const State& s = after.back();
    const int slots = update_slots(GetParam());
    updates.push_back(
        {rule_of(static_cast<int>(i)),
         {s.value.data_ptr<float>(), s.grad.data_ptr<float>(), slots >= 1 ? s.first.data_ptr<float>() : nullptr,
          slots >= 2 ? s.second.data_ptr<float>() : nullptr, sizes[i]}});
  }
  cuda_update(GetParam(), updates, 0);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    SCOPED_TRACE("size " + std::to_string(sizes[i]));
    expect_near_reference(GetParam(), rule_of(static_cast<int>(i)), before[i], after[i]);
  }
}

INSTANTIATE_TEST_SUITE_P(AllRules, CudaOptimizer,
                         testing::Values(UpdateKind::adam, UpdateKind::sgd, UpdateKind::sgd_momentum,
                                         UpdateKind::rmsprop, UpdateKind::rmsprop_momentum));

TEST(CudaStub, SaysWhatIsMissing) {
  if (cuda_kernels_built()) {
    GTEST_SKIP() << "this build has the kernels";
  }
  try {
    cuda_update(UpdateKind::adam, {}, 0);
    FAIL() << "did not throw";
  } catch (const EnvironmentError& e) {
    EXPECT_NE(std::string(e.what()).find("built without CUDA"), std::string::npos) << e.what();
  }
  EXPECT_THROW(CudaStopwatch(0), EnvironmentError);
  EXPECT_THROW(cuda_peak_bytes(0), EnvironmentError);
}

}  // namespace
}  // namespace effnetv2
