// The network beside torchvision's on the same weights and pictures; see answers() in scripts/make_golden.py.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ops/cross_entropy_loss.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include "effnetv2/model/efficientnet.h"

#include "support/golden.h"
#include "support/network.h"

namespace effnetv2 {
namespace {

using test::Form;

/// Largest difference allowed: of logits relative to the largest of them, of anything else to its root mean square.
struct Tolerance {
  double statistics = 0.0, eval_logits = 0.0, train_logits = 0.0, gradients = 0.0;
  double gradient_floor = 0.0;  ///< see samples_difference()
};

// The goldens hold nine digits of float64 results, so in float64 only their own last digit may differ: an entry is up
// to some ten times its tensor's root mean square.
constexpr Tolerance kDouble{1e-7, 1e-8, 1e-8, 1e-7, 1e-4};

struct AnswersCase {
  std::string golden;
  std::string name;
  Form form;
  Tolerance tolerance;
};

std::ostream& operator<<(std::ostream& out, const AnswersCase& c) {
  return out << c.golden << " " << c.name;
}

constexpr auto kContiguous = at::MemoryFormat::Contiguous;
constexpr auto kChannelsLast = at::MemoryFormat::ChannelsLast;

double logits_difference(const at::Tensor& ours, const nlohmann::json& golden) {
  EXPECT_EQ(static_cast<std::size_t>(ours.size(0)), golden.size());
  double largest = 0.0, difference = 0.0;
  for (std::int64_t i = 0; i < ours.size(0); ++i) {
    for (std::int64_t j = 0; j < ours.size(1); ++j) {
      const double expected = golden.at(static_cast<std::size_t>(i)).at(static_cast<std::size_t>(j)).get<double>();
      largest = std::max(largest, std::abs(expected));
      difference = std::max(difference, std::abs(ours[i][j].item<double>() - expected));
    }
  }
  return difference / largest;
}

/// Of norm, first, middle and last entry of each tensor. The gradient of a bias that a later BatchNorm takes out again
/// is 0 in exact arithmetic and rounding in float32; so a root mean square counts as at least `floor` times the
/// largest.
double samples_difference(const std::vector<std::pair<std::string, at::Tensor>>& ours, const nlohmann::json& golden,
                          double floor) {
  EXPECT_EQ(ours.size(), golden.size());
  const auto rms = [&](std::size_t i) {
    return golden.at(i).at(0).get<double>() / std::sqrt(static_cast<double>(ours[i].second.numel()));
  };
  double largest = 0.0, difference = 0.0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    largest = std::max(largest, rms(i));
  }
  std::string where;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const at::Tensor flat = ours[i].second.detach().to(at::kDouble).contiguous().flatten();
    const double root = std::sqrt(static_cast<double>(flat.numel()));
    const double differences[] = {
        (flat.norm().item<double>() - golden[i][0].get<double>()) / root,
        flat[0].item<double>() - golden[i][1].get<double>(),
        flat[flat.numel() / 2].item<double>() - golden[i][2].get<double>(),
        flat[-1].item<double>() - golden[i][3].get<double>(),
    };
    for (const double d : differences) {
      const double relative = std::abs(d) / std::max(rms(i), floor * largest);
      if (!(relative <= difference)) {
        difference = relative;
        where = ours[i].first;
      }
    }
  }
  std::printf("  largest in %s\n", where.c_str());
  return difference;
}

void expect_within(const char* what, double difference, double tolerance) {
  std::printf("%-12s differ by %.1e, allowed %.0e\n", what, difference, tolerance);
  EXPECT_LE(difference, tolerance) << what;
}

class Answers : public testing::TestWithParam<AnswersCase> {};

TEST_P(Answers, EqualTorchvisions) {
  const Form& form = GetParam().form;
  const Tolerance& tolerance = GetParam().tolerance;
  const nlohmann::json golden = test::read_golden(GetParam().golden);
  const auto batch = golden["batch"].get<std::int64_t>();
  const auto pictures = [&](const std::string& name) {
    return test::in_form(
        test::formula_pictures(name, batch, golden["height"].get<std::int64_t>(), golden["width"].get<std::int64_t>()),
        form);
  };
  const auto network = test::formula_network(test::golden_architecture(golden["model"]), form);

  network->train();
  for (int step = 0; step < golden["calibration_steps"].get<int>(); ++step) {
    const torch::NoGradGuard no_grad;
    network->forward(pictures("calibration/" + std::to_string(step)));
  }
  network->eval();
  {
    const torch::NoGradGuard no_grad;
    expect_within("eval logits", logits_difference(network->forward(pictures("probe")), golden["eval_logits"]),
                  tolerance.eval_logits);
  }

  network->train();
  test::FormulaNoise masks;
  const at::Tensor logits = network->forward(pictures("probe"), golden["masks"].get<bool>() ? &masks : nullptr);
  expect_within("train logits", logits_difference(logits, golden["train_logits"]), tolerance.train_logits);
  const at::Tensor loss =
      at::cross_entropy_loss(logits, test::formula_labels(batch, network->architecture().num_classes));
  EXPECT_NEAR(loss.item<double>(), golden["loss"].get<double>(), tolerance.train_logits * 10);
  loss.backward();

  std::vector<std::pair<std::string, at::Tensor>> gradients, statistics;
  for (const auto& parameter : network->named_parameters()) {
    gradients.emplace_back(parameter.key(), parameter.value().grad());
  }
  for (const auto& buffer : network->named_buffers()) {
    if (buffer.value().dim() == 1) {
      statistics.emplace_back(buffer.key(), buffer.value());
    } else {
      EXPECT_EQ(buffer.value().item<std::int64_t>(), golden["calibration_steps"].get<int>() + 1) << buffer.key();
    }
  }
  expect_within("statistics", samples_difference(statistics, golden["statistics"], 1e-3), tolerance.statistics);
  expect_within("gradients", samples_difference(gradients, golden["gradients"], tolerance.gradient_floor),
                tolerance.gradients);
}

std::string case_name(const testing::TestParamInfo<AnswersCase>& info) {
  return info.param.golden + "_" + info.param.name;
}

std::vector<AnswersCase> in_all_forms(const std::vector<std::string>& goldens, const Tolerance& single) {
  std::vector<AnswersCase> cases;
  for (const auto& golden : goldens) {
    cases.push_back({golden, "float64", {at::kDouble, kContiguous}, kDouble});
    cases.push_back({golden, "float32", {at::kFloat, kContiguous}, single});
    cases.push_back({golden, "channels_last", {at::kFloat, kChannelsLast}, single});
  }
  return cases;
}

const std::vector<std::string> kBlocks{
    "block_fused_expand1",  "block_fused_expand1_stride2",  "block_fused_expand4",  "block_fused_expand4_stride2",
    "block_mbconv_expand4", "block_mbconv_expand6_stride2", "block_mbconv_kernel5", "block_mbconv_kernel5_stride2",
    "block_mbconv_expand1", "block_mbconv_no_residual"};
constexpr Tolerance kBlockSingle{1e-5, 1e-5, 1e-5, 1e-4, 1e-2};
INSTANTIATE_TEST_SUITE_P(Blocks, Answers, testing::ValuesIn(in_all_forms(kBlocks, kBlockSingle)), case_name);

const std::vector<std::string> kNetworks{"model_s_32", "model_s_128", "model_s_97x61", "model_b0_64", "model_s_masks"};
constexpr Tolerance kNetworkSingle{1e-3, 1e-3, 1e-3, 1e-2, 1e-2};
INSTANTIATE_TEST_SUITE_P(Networks, Answers, testing::ValuesIn(in_all_forms(kNetworks, kNetworkSingle)), case_name);

}  // namespace
}  // namespace effnetv2
