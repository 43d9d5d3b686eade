#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "effnetv2/config/model_config.h"

namespace effnetv2 {

/// torchvision's _make_divisible: v rounded to a multiple of `divisor`, never below 90 % of v.
std::int64_t make_divisible(double v, std::int64_t divisor = 8);

/// One block with every number worked out. Plain data.
struct BlockSpec {
  BlockKind kind = BlockKind::mbconv;
  std::int64_t in_channels = 0;
  std::int64_t expanded_channels = 0;  ///< == in_channels if the expand ratio is 1
  std::int64_t out_channels = 0;
  std::int64_t kernel = 3;
  std::int64_t stride = 1;
  std::int64_t squeeze_channels = 0;  ///< MBConv: max(1, in_channels / 4); fused: 0
  std::int64_t index = 0;             ///< over the whole network, counted from 0
  double drop_rate = 0.0;             ///< stochastic depth: chance to drop the branch of one sample
  bool has_residual() const { return stride == 1 && in_channels == out_channels; }
  bool operator==(const BlockSpec&) const = default;
};

/// A network with every number worked out: multipliers applied, stages expanded into blocks.
struct Architecture {
  std::int64_t stem_channels = 0;
  std::int64_t stem_stride = 2;
  std::vector<std::vector<BlockSpec>> stages;
  std::int64_t head_channels = 0;
  std::int64_t num_classes = 0;
  double bn_eps = 1e-3;
  double bn_momentum = 0.1;
  double dropout = 0.2;
  std::int64_t blocks() const;
};

/// Fills every null of `config` that the architecture decides: stages, stem and head channels, bn_eps, dropout.
/// num_classes and weights stay. Works on the table's own numbers; multipliers are applied by architecture().
ModelConfig with_defaults(ModelConfig config);

/// Throws ConfigError naming the key if the table gives no network. num_classes >= 1.
Architecture architecture(const ModelConfig& config, std::int64_t num_classes);

}  // namespace effnetv2
