#include "effnetv2/model/architecture.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "effnetv2/config/config.h"
#include "effnetv2/core/error.h"
#include "effnetv2/core/text.h"

namespace effnetv2 {
namespace {

// What no network of use reaches; keeps the weights of a block below 2^63.
constexpr std::int64_t kMaxChannels = 1 << 20;
constexpr std::int64_t kMaxLayers = 10'000;

constexpr auto kFused = BlockKind::fused_mbconv;
constexpr auto kMBConv = BlockKind::mbconv;

struct Variant {
  std::vector<StageConfig> stages;
  std::int64_t stem_channels;
  std::int64_t head_channels;
  double bn_eps;
  double dropout;
};

// Tan & Le 2021, table 4 and its M and L; Tan & Le 2019, table 1. Rows: block, expand, kernel, stride, channels,
// layers.
Variant variant(Arch arch) {
  switch (arch) {
    case Arch::efficientnet_v2_s:
      return {{{kFused, 1, 3, 1, 24, 2},
               {kFused, 4, 3, 2, 48, 4},
               {kFused, 4, 3, 2, 64, 4},
               {kMBConv, 4, 3, 2, 128, 6},
               {kMBConv, 6, 3, 1, 160, 9},
               {kMBConv, 6, 3, 2, 256, 15}},
              24,
              1280,
              1e-3,
              0.2};
    case Arch::efficientnet_v2_m:
      return {{{kFused, 1, 3, 1, 24, 3},
               {kFused, 4, 3, 2, 48, 5},
               {kFused, 4, 3, 2, 80, 5},
               {kMBConv, 4, 3, 2, 160, 7},
               {kMBConv, 6, 3, 1, 176, 14},
               {kMBConv, 6, 3, 2, 304, 18},
               {kMBConv, 6, 3, 1, 512, 5}},
              24,
              1280,
              1e-3,
              0.3};
    case Arch::efficientnet_v2_l:
      return {{{kFused, 1, 3, 1, 32, 4},
               {kFused, 4, 3, 2, 64, 7},
               {kFused, 4, 3, 2, 96, 7},
               {kMBConv, 4, 3, 2, 192, 10},
               {kMBConv, 6, 3, 1, 224, 19},
               {kMBConv, 6, 3, 2, 384, 25},
               {kMBConv, 6, 3, 1, 640, 7}},
              32,
              1280,
              1e-3,
              0.4};
    case Arch::efficientnet_b0:
      return {{{kMBConv, 1, 3, 1, 16, 1},
               {kMBConv, 6, 3, 2, 24, 2},
               {kMBConv, 6, 5, 2, 40, 2},
               {kMBConv, 6, 3, 2, 80, 3},
               {kMBConv, 6, 5, 1, 112, 3},
               {kMBConv, 6, 5, 2, 192, 4},
               {kMBConv, 6, 3, 1, 320, 1}},
              32,
              1280,
              1e-5,
              0.2};
  }
  throw ConfigError("model.arch: unknown architecture number " + std::to_string(static_cast<int>(arch)));
}

[[noreturn]] void refuse(const std::string& key, std::int64_t most, const char* which, double received) {
  throw ConfigError(key + ": must be at most " + with_commas(most) + " after its " + which + " multipliers, got " +
                    shortest(received));
}

/// Each key against its description, as when a config is read.
void check(const ModelConfig& model, std::int64_t num_classes) {
  ExperimentConfig config;
  config.model = model;
  config.model.num_classes = num_classes;
  config.model.weights.reset();
  parse_config(nlohmann::json(to_json(config)), {});
}

std::int64_t scaled_channels(const std::string& key, std::int64_t channels, double width) {
  const double scaled = static_cast<double>(channels) * width;
  if (!(scaled <= static_cast<double>(kMaxChannels))) {
    refuse(key, kMaxChannels, "width", scaled);
  }
  return make_divisible(scaled);
}

std::int64_t scaled_layers(const std::string& key, std::int64_t layers, double depth) {
  const double scaled = std::ceil(static_cast<double>(layers) * depth);
  if (!(scaled <= static_cast<double>(kMaxLayers))) {
    refuse(key, kMaxLayers, "depth", scaled);
  }
  return static_cast<std::int64_t>(scaled);
}

BlockSpec block_spec(const StageConfig& stage, std::int64_t in, std::int64_t out, std::int64_t stride,
                     std::int64_t index) {
  BlockSpec block;
  block.kind = stage.block;
  block.in_channels = in;
  block.expanded_channels = make_divisible(static_cast<double>(in * stage.expand));
  block.out_channels = out;
  block.kernel = stage.kernel;
  block.stride = stride;
  block.squeeze_channels = stage.block == BlockKind::mbconv ? std::max<std::int64_t>(1, in / 4) : 0;
  block.index = index;
  return block;
}

}  // namespace

std::int64_t make_divisible(double v, std::int64_t divisor) {
  const double half = static_cast<double>(divisor) / 2.0;
  std::int64_t rounded = std::max(divisor, static_cast<std::int64_t>(v + half) / divisor * divisor);
  if (static_cast<double>(rounded) < 0.9 * v) {
    rounded += divisor;
  }
  return rounded;
}

std::int64_t Architecture::blocks() const {
  std::int64_t count = 0;
  for (const auto& stage : stages) {
    count += static_cast<std::int64_t>(stage.size());
  }
  return count;
}

ModelConfig with_defaults(ModelConfig config) {
  Variant defaults = variant(config.arch);
  if (!config.stages) {
    config.stages = std::move(defaults.stages);
  }
  config.stem_channels = config.stem_channels.value_or(defaults.stem_channels);
  config.head_channels = config.head_channels.value_or(defaults.head_channels);
  config.bn_eps = config.bn_eps.value_or(defaults.bn_eps);
  config.dropout = config.dropout.value_or(defaults.dropout);
  return config;
}

Architecture architecture(const ModelConfig& config, std::int64_t num_classes) {
  const ModelConfig model = with_defaults(config);
  check(model, num_classes);

  Architecture result;
  result.stem_channels = scaled_channels("model.stem_channels", *model.stem_channels, model.width_mult);
  result.stem_stride = model.stem_stride;
  result.head_channels = *model.head_channels;
  result.num_classes = num_classes;
  result.bn_eps = *model.bn_eps;
  result.bn_momentum = model.bn_momentum;
  result.dropout = *model.dropout;

  std::int64_t in = result.stem_channels;
  std::int64_t index = 0;
  for (std::size_t i = 0; i < model.stages->size(); ++i) {
    const StageConfig& stage = (*model.stages)[i];
    const std::string key = "model.stages[" + std::to_string(i) + "]";
    const KindMultipliers& kind = stage.block == BlockKind::mbconv ? model.mbconv : model.fused_mbconv;
    const std::int64_t out = scaled_channels(key + ".channels", stage.channels, model.width_mult * kind.width_mult);
    const std::int64_t layers = scaled_layers(key + ".layers", stage.layers, model.depth_mult * kind.depth_mult);
    std::vector<BlockSpec>& blocks = result.stages.emplace_back();
    for (std::int64_t layer = 0; layer < layers; ++layer) {
      blocks.push_back(block_spec(stage, in, out, layer == 0 ? stage.stride : 1, index++));
      in = out;
    }
  }
  for (auto& stage : result.stages) {
    for (BlockSpec& block : stage) {
      block.drop_rate = model.stochastic_depth * static_cast<double>(block.index) / static_cast<double>(index);
    }
  }
  return result;
}

}  // namespace effnetv2
