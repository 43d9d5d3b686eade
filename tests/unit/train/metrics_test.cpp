#include "effnetv2/train/metrics.h"

#include <cmath>
#include <limits>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/golden.h"

namespace effnetv2 {
namespace {

at::Tensor matrix(const nlohmann::json& rows) {
  std::vector<at::Tensor> tensors;
  for (const auto& row : rows) {
    tensors.push_back(at::tensor(row.get<std::vector<float>>()));
  }
  return at::stack(tensors);
}

at::Tensor labels_of(const std::vector<std::int64_t>& labels) {
  return at::tensor(labels, at::kLong);
}

Metrics measure(const at::Tensor& logits, const std::vector<std::int64_t>& labels) {
  MetricSums sums;
  sums.add(at::zeros({}), logits, labels_of(labels));
  return sums.result();
}

TEST(CrossEntropy, IsTorchsWithItsGradient) {
  const auto cases = test::read_golden("train_cross_entropy");
  ASSERT_GE(cases.size(), 5u);
  for (const auto& golden : cases) {
    const at::Tensor logits = matrix(golden["logits"]).requires_grad_();
    const at::Tensor labels = labels_of(golden["labels"]);
    const at::Tensor loss = cross_entropy(logits, labels, golden["label_smoothing"]);
    EXPECT_EQ(loss.scalar_type(), at::kFloat);
    EXPECT_EQ(loss.dim(), 0);
    EXPECT_NEAR(loss.item<float>(), golden["loss"].get<float>(), 1e-6 * std::max(1.0f, golden["loss"].get<float>()));
    loss.backward();
    EXPECT_TRUE(at::allclose(logits.grad(), matrix(golden["grad"]), 1e-5, 1e-7));
    if (golden["logits"][0].size() >
        2) {  // eighths of this size are exact in bfloat16 or round, both as the same float
      const at::Tensor half = logits.detach().to(at::kBFloat16);
      EXPECT_EQ(cross_entropy(half, labels, golden["label_smoothing"]).item<float>(),
                cross_entropy(half.to(at::kFloat), labels, golden["label_smoothing"]).item<float>());
    }
  }
}

TEST(CrossEntropy, SurvivesLogitsThatOverflowExp) {
  const at::Tensor logits = at::tensor({3e38f, 0.0f, -3e38f}).unsqueeze(0);
  EXPECT_EQ(cross_entropy(logits, labels_of({0}), 0.0).item<float>(), 0.0f);
}

TEST(MetricSums, CountsAsTopkWhereLogitsDiffer) {
  at::manual_seed(2);
  for (const std::int64_t classes : {6, 7, 10, 100}) {
    const at::Tensor logits = at::randn({200, classes});
    const at::Tensor labels = at::randint(classes, {200}, at::kLong);
    MetricSums sums;
    sums.add(at::scalar_tensor(1.5f), logits, labels);
    const Metrics metrics = sums.result();
    const auto hits = [&](std::int64_t k) {
      return std::get<1>(logits.topk(k, 1)).eq(labels.unsqueeze(1)).any(1).sum().item<double>() / 200.0;
    };
    EXPECT_DOUBLE_EQ(metrics.top1, hits(1));
    EXPECT_DOUBLE_EQ(metrics.top5, hits(5));
    EXPECT_DOUBLE_EQ(metrics.loss, 1.5);
    EXPECT_EQ(metrics.samples, 200);
  }
}

TEST(MetricSums, OfEqualLogitsTheLowestIndexIsFirstAsInArgmax) {
  at::manual_seed(3);
  const at::Tensor logits = at::randint(3, {500, 8}).to(at::kFloat);  // full of ties
  const at::Tensor labels = at::randint(8, {500}, at::kLong);
  MetricSums sums;
  sums.add(at::zeros({}), logits, labels);
  EXPECT_DOUBLE_EQ(sums.result().top1, logits.argmax(1).eq(labels).sum().item<double>() / 500.0);
  // every picture is the hit of exactly one label, or of five
  double top1 = 0.0, top5 = 0.0;
  for (std::int64_t label = 0; label < 8; ++label) {
    const Metrics metrics = measure(logits, std::vector<std::int64_t>(500, label));
    top1 += metrics.top1;
    top5 += metrics.top5;
  }
  EXPECT_NEAR(top1, 1.0, 1e-12);
  EXPECT_NEAR(top5, 5.0, 1e-12);
}

TEST(MetricSums, ANetworkThatAnswersTheSameForAllIsNotRight) {
  EXPECT_DOUBLE_EQ(measure(at::zeros({10, 10}), {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}).top1, 0.1);
  EXPECT_DOUBLE_EQ(measure(at::zeros({10, 10}), {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}).top5, 0.5);
}

TEST(MetricSums, NotANumberIsAMiss) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const at::Tensor all = at::full({2, 7}, nan);
  EXPECT_EQ(measure(all, {0, 6}).top1, 0.0);
  EXPECT_EQ(measure(all, {0, 6}).top5, 0.0);
  const at::Tensor own = at::tensor({nan, 1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f}).unsqueeze(0);
  EXPECT_EQ(measure(own, {0}).top1, 0.0);
  EXPECT_EQ(measure(own, {0}).top5, 0.0);
  EXPECT_EQ(measure(own, {6}).top1, 0.0) << "a NaN elsewhere stands before it";
  EXPECT_EQ(measure(own, {6}).top5, 1.0);
  EXPECT_EQ(measure(at::full({1, 1}, nan), {0}).top1, 0.0);
}

TEST(MetricSums, InfiniteLogitsAreOrdered) {
  const float inf = std::numeric_limits<float>::infinity();
  const at::Tensor logits = at::tensor({-inf, 0.0f, 1.0f, 2.0f, inf, 3.0f, 4.0f}).unsqueeze(0);
  EXPECT_EQ(measure(logits, {4}).top1, 1.0);
  EXPECT_EQ(measure(logits, {0}).top5, 0.0);
}

TEST(MetricSums, Top5IsOneWithFewerThanSixClasses) {
  for (std::int64_t classes = 1; classes <= 7; ++classes) {
    const at::Tensor logits = -at::arange(classes, at::kFloat).unsqueeze(0);
    const Metrics last = measure(logits, {classes - 1});
    EXPECT_EQ(last.top5, classes < 6 ? 1.0 : 0.0) << classes << " classes";
    EXPECT_EQ(last.top1, classes == 1 ? 1.0 : 0.0) << classes << " classes";
  }
}

TEST(MetricSums, WeighsBatchesByTheirSizeAndTakesBf16) {
  const at::Tensor logits = at::eye(10).to(at::kBFloat16);
  MetricSums sums;
  sums.add(at::scalar_tensor(2.0f), logits.narrow(0, 0, 8), labels_of({0, 1, 2, 3, 4, 5, 6, 7}));
  sums.add(at::scalar_tensor(4.0f, at::kBFloat16), logits.narrow(0, 8, 2), labels_of({8, 0}));
  sums.add(at::scalar_tensor(std::nanf("")), logits.narrow(0, 0, 0), labels_of({}));
  const Metrics metrics = sums.result();
  EXPECT_DOUBLE_EQ(metrics.loss, (2.0 * 8 + 4.0 * 2) / 10);
  EXPECT_DOUBLE_EQ(metrics.top1, 0.9);
  EXPECT_EQ(metrics.samples, 10);
}

TEST(MetricSums, SumsInDoubles) {
  MetricSums sums;
  const at::Tensor logits = at::zeros({1, 6});
  const at::Tensor labels = labels_of({0});
  double expected = 0.0;
  for (int i = 0; i < 2000; ++i) {
    const float loss = 1000.0f + 1e-4f * static_cast<float>(i);
    expected += loss;
    sums.add(at::scalar_tensor(loss, at::kFloat), logits, labels);
  }
  EXPECT_EQ(sums.result().loss, expected / 2000);
}

TEST(MetricSums, StateGoesOnExactly) {
  at::manual_seed(4);
  MetricSums whole, first;
  const auto add = [](MetricSums& sums, int seed) {
    at::manual_seed(seed);
    sums.add(at::rand({}), at::randn({7, 9}), at::randint(9, {7}, at::kLong));
  };
  for (int i = 0; i < 6; ++i) {
    add(whole, i);
  }
  for (int i = 0; i < 3; ++i) {
    add(first, i);
  }
  const at::Tensor saved = first.state();
  EXPECT_EQ(saved.scalar_type(), at::kDouble);
  EXPECT_EQ(saved.sizes(), at::IntArrayRef({4}));
  add(first, 9);  // what was saved is a copy
  MetricSums second;
  second.load_state(saved);
  for (int i = 3; i < 6; ++i) {
    add(second, i);
  }
  EXPECT_TRUE(at::equal(second.state(), whole.state()));
  EXPECT_EQ(second.result().samples, 42);
}

TEST(MetricSums, NothingAddedIsNothing) {
  const MetricSums sums;
  EXPECT_EQ(sums.result().samples, 0);
  EXPECT_EQ(sums.result().loss, 0.0);
  EXPECT_TRUE(at::equal(sums.state(), at::zeros({4}, at::kDouble)));
  MetricSums loaded;
  loaded.load_state(sums.state());
  EXPECT_EQ(loaded.result().samples, 0);
}

TEST(MetricSums, KeepsNoGraph) {
  const at::Tensor logits = at::randn({2, 6}).requires_grad_();
  MetricSums sums;
  sums.add(cross_entropy(logits, labels_of({1, 2}), 0.0), logits, labels_of({1, 2}));
  EXPECT_FALSE(sums.state().requires_grad());
}

}  // namespace
}  // namespace effnetv2
