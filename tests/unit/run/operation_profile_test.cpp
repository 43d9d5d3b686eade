#include "effnetv2/run/operation_profile.h"

#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace effnetv2 {
namespace {

/// A card on which an operation takes `busy` ms and two marks with nothing between them 1 ms.
struct PretendedCard {
  std::vector<double> times;
  bool inside = false;
  double busy = 4.0;

  QueueClock clock() {
    return {[this] {
              EXPECT_FALSE(inside) << "an operation within another is not timed apart";
              inside = true;
            },
            [this] {
              EXPECT_TRUE(inside);
              inside = false;
              times.push_back(times.size() < 15 ? 1.0 : 1.0 + busy);
            },
            [this] { return times; }};
  }
};

const OperationCost* find(const std::vector<OperationCost>& costs, const std::string& name) {
  for (const auto& cost : costs) {
    if (cost.name == name) {
      return &cost;
    }
  }
  ADD_FAILURE() << "there is no " << name;
  return nullptr;
}

TEST(OperationProfile, TimesTheOutermostOperationsOnACard) {
  const at::Tensor x = at::rand({2, 8, 5, 5}), weight = at::rand({4, 8, 3, 3});
  const auto step = [&](std::int64_t) { at::relu(at::conv2d(x, weight)); };
  PretendedCard card;
  const auto costs = profile_queued_operations(step, 2, card.clock(), 10.0);
  ASSERT_EQ(costs.size(), 3U);  // what conv2d calls is not told apart
  const auto* conv = find(costs, "aten::conv2d 3x3");
  ASSERT_NE(conv, nullptr);
  EXPECT_EQ(conv->calls, 1.0);
  EXPECT_EQ(conv->milliseconds, 4.0);
  EXPECT_EQ(conv->flops, 2.0 * 2 * 3 * 3 * 4 * 8 * 9);
  EXPECT_EQ(conv->bytes, 4.0 * (2 * 8 * 25 + 4 * 8 * 9 + 2 * 4 * 9));
  EXPECT_EQ(find(costs, "aten::relu")->milliseconds, 4.0);
  EXPECT_EQ(find(costs, "(between operations)")->milliseconds, 2.0);
}

TEST(OperationProfile, CountsTheBackwardPassOnACard) {
  const at::Tensor x = at::rand({2, 8, 5, 5}), weight = at::rand({4, 8, 3, 3}).requires_grad_();
  PretendedCard card;
  card.busy = 50.0;
  const auto step = [&](std::int64_t) { at::conv2d(x, weight).sum().backward(); };
  const auto costs = profile_queued_operations(step, 1, card.clock(), 10.0);
  EXPECT_GT(find(costs, "aten::convolution_backward 3x3")->flops, 0.0);
  EXPECT_EQ(find(costs, "(between operations)")->milliseconds, 0.0) << "never below zero";
}

TEST(OperationProfile, StopsLookingWhenAStepFails) {
  PretendedCard card;
  const auto fail = [](std::int64_t) { at::rand({2}).add(at::rand({3})); };
  EXPECT_ANY_THROW(profile_queued_operations(fail, 1, card.clock(), 1.0));
  EXPECT_NO_THROW(at::rand({2}).add(1.0));
  const auto costs = profile_operations([](std::int64_t) { at::rand({2}); }, 4);
  EXPECT_EQ(find(costs, "aten::rand")->calls, 1.0);
}

TEST(OperationProfile, GivesSharesOfTheCeilings) {
  const std::vector<OperationCost> costs{{"a", 2.0, 3.0, 6e9, 1e6}, {"b", 1.0, 1.0, 0.0, 4e8}};
  const Ceilings ceilings{1e12, 4e12, 8e11};
  const auto bf16 = to_json(costs, ceilings, true), fp32 = to_json(costs, ceilings, false);
  EXPECT_DOUBLE_EQ(bf16["operations"][0]["share"].get<double>(), 0.75);
  EXPECT_DOUBLE_EQ(bf16["operations"][0]["share_of_ceiling"].get<double>(), 0.5);
  EXPECT_DOUBLE_EQ(fp32["operations"][0]["share_of_ceiling"].get<double>(), 2.0);
  EXPECT_DOUBLE_EQ(bf16["operations"][1]["share_of_ceiling"].get<double>(), 0.5);
  EXPECT_DOUBLE_EQ(bf16["ceilings"]["bf16_gflops_per_second"].get<double>(), 4000.0);
}

}  // namespace
}  // namespace effnetv2
