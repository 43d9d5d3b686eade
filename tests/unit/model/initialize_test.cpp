#include <algorithm>
#include <cmath>
#include <memory>

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include "effnetv2/model/efficientnet.h"

namespace effnetv2 {
namespace {

std::shared_ptr<EfficientNetImpl> initialized(Init init, std::uint64_t seed, const ModelConfig& config = {},
                                              std::int64_t classes = 10) {
  auto network = std::make_shared<EfficientNetImpl>(architecture(config, classes));
  initialize(*network, init, seed);
  return network;
}

at::Tensor weight_of(EfficientNetImpl& network, const std::string& name) {
  return network.named_parameters()[name].detach().to(at::kDouble).flatten();
}

double normal_cdf(double x) {
  return 0.5 * std::erfc(-x / std::sqrt(2.0));
}

/// Largest distance between the values' distribution and `cdf` (Kolmogorov-Smirnov), times sqrt(n).
template <typename Cdf>
double kolmogorov(const at::Tensor& values, Cdf cdf) {
  const at::Tensor sorted = std::get<0>(values.sort());
  const auto* v = sorted.data_ptr<double>();
  const auto n = static_cast<double>(sorted.numel());
  double distance = 0.0;
  for (std::int64_t i = 0; i < sorted.numel(); ++i) {
    const double p = cdf(v[i]);
    distance = std::max({distance, p - static_cast<double>(i) / n, static_cast<double>(i + 1) / n - p});
  }
  return distance * std::sqrt(n);
}

// A distance of 2.2 / sqrt(n) is exceeded by chance once in 8,000.
constexpr double kKolmogorovBound = 2.2;

void expect_normal(const at::Tensor& values, double deviation) {
  const at::Tensor z = values / deviation;
  const auto n = static_cast<double>(z.numel());
  EXPECT_NEAR(z.mean().item<double>(), 0.0, 5.0 / std::sqrt(n));
  EXPECT_NEAR(z.square().mean().item<double>(), 1.0, 5.0 * std::sqrt(2.0 / n));
  EXPECT_NEAR(z.pow(3).mean().item<double>(), 0.0, 5.0 * std::sqrt(15.0 / n));
  EXPECT_NEAR(z.pow(4).mean().item<double>(), 3.0, 5.0 * std::sqrt(96.0 / n));
  EXPECT_LT(kolmogorov(z, normal_cdf), kKolmogorovBound);
}

void expect_uniform(const at::Tensor& values, double range) {
  EXPECT_LE(values.abs().max().item<double>(), range * (1.0 + 1e-6));
  EXPECT_LT(kolmogorov(values, [&](double x) { return std::clamp((x / range + 1.0) / 2.0, 0.0, 1.0); }),
            kKolmogorovBound);
}

TEST(Initialize, ConvolutionsAreNormalByFanOut) {
  const auto network = initialized(Init::torchvision, 1);
  expect_normal(weight_of(*network, "features.0.0.weight"), std::sqrt(2.0 / (24 * 9)));
  expect_normal(weight_of(*network, "features.2.1.block.0.0.weight"), std::sqrt(2.0 / (192 * 9)));
  expect_normal(weight_of(*network, "features.7.0.weight"), std::sqrt(2.0 / 1280));
  expect_normal(weight_of(*network, "features.6.3.block.2.fc1.weight"), std::sqrt(2.0 / 64));
  expect_normal(weight_of(*network, "features.6.3.block.1.0.weight"), std::sqrt(2.0 / (1536 * 9)));
}

TEST(Initialize, PerGroupDividesTheFanOutOfDepthwiseConvolutionsOnly) {
  const auto network = initialized(Init::per_group, 1);
  expect_normal(weight_of(*network, "features.6.3.block.1.0.weight"), std::sqrt(2.0 / 9));
  expect_normal(weight_of(*network, "features.6.3.block.0.0.weight"), std::sqrt(2.0 / 1536));
}

TEST(Initialize, TheClassifierIsUniformByItsRows) {
  expect_uniform(weight_of(*initialized(Init::torchvision, 1), "classifier.1.weight"), 1.0 / std::sqrt(10.0));
  expect_uniform(weight_of(*initialized(Init::per_group, 1), "classifier.1.weight"), 1.0 / std::sqrt(1280.0));
}

TEST(Initialize, NormsAreOneAndBiasesZero) {
  const auto network = std::make_shared<EfficientNetImpl>(architecture({}, 10));
  for (auto& parameter : network->parameters()) {
    parameter.detach().fill_(-7.0);
  }
  initialize(*network, Init::torchvision, 1);
  for (const auto& parameter : network->named_parameters()) {
    const bool bias = parameter.key().ends_with("bias");
    if (bias || parameter.value().dim() == 1) {
      EXPECT_TRUE((parameter.value() == (bias ? 0.0 : 1.0)).all().item<bool>()) << parameter.key();
    } else {
      EXPECT_FALSE((parameter.value() == -7.0).any().item<bool>()) << parameter.key();
    }
  }
}

TEST(Initialize, NoTwoWeightsShareTheirStart) {
  const auto network = initialized(Init::per_group, 1);
  std::vector<float> starts;
  for (const auto& parameter : network->named_parameters()) {
    if (parameter.value().dim() > 1) {
      const at::Tensor flat = parameter.value().detach().flatten();
      starts.push_back((flat[0] / flat[1]).item<float>());
    }
  }
  std::sort(starts.begin(), starts.end());
  EXPECT_EQ(std::adjacent_find(starts.begin(), starts.end()), starts.end());
  const at::Tensor head = weight_of(*network, "features.7.0.weight");
  EXPECT_FALSE(head.slice(0, 0, 16384).equal(head.slice(0, 16384, 32768))) << "chunks repeat";
}

TEST(Initialize, DependsOnSeedAndNameOnly) {
  const auto name = "features.6.3.block.0.0.weight";
  const at::Tensor reference = weight_of(*initialized(Init::torchvision, 1), name);
  EXPECT_FALSE(reference.equal(weight_of(*initialized(Init::torchvision, 2), name)));

  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  EXPECT_TRUE(reference.equal(weight_of(*initialized(Init::torchvision, 1), name)));
  at::set_num_threads(threads);

  ModelConfig fewer_before = with_defaults({});
  (*fewer_before.stages)[0].layers = 1;
  EXPECT_TRUE(reference.equal(weight_of(*initialized(Init::torchvision, 1, fewer_before, 3), name)));

  const auto strided = std::make_shared<EfficientNetImpl>(architecture({}, 10));
  for (auto& parameter : strided->parameters()) {
    if (parameter.dim() == 4) {
      parameter.set_data(parameter.contiguous(at::MemoryFormat::ChannelsLast));
    }
  }
  initialize(*strided, Init::torchvision, 1);
  EXPECT_TRUE(reference.equal(weight_of(*strided, name)));
  EXPECT_TRUE(
      strided->named_parameters()["features.2.1.block.0.0.weight"].is_contiguous(at::MemoryFormat::ChannelsLast));
}

}  // namespace
}  // namespace effnetv2
