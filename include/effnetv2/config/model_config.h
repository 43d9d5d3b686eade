#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace effnetv2 {

enum class BlockKind { fused_mbconv, mbconv };
enum class Arch { efficientnet_v2_s, efficientnet_v2_m, efficientnet_v2_l, efficientnet_b0 };
enum class Init { torchvision, per_group };

/// One row of the stage table: `layers` blocks of one kind, the first with `stride`, all with `channels` out.
struct StageConfig {
  BlockKind block = BlockKind::mbconv;
  std::int64_t expand = 4;    ///< >= 1, expanded width = make_divisible(in * expand, 8)
  std::int64_t kernel = 3;    ///< odd, 1..31
  std::int64_t stride = 1;    ///< 1 or 2
  std::int64_t channels = 0;  ///< >= 1
  std::int64_t layers = 1;    ///< >= 1
  bool operator==(const StageConfig&) const = default;
};

/// Width and depth multipliers of one block kind, on top of the model's own.
struct KindMultipliers {
  double width_mult = 1.0;
  double depth_mult = 1.0;
};

/// The "model" object of the config (CONFIG in docs/config.md). nullopt: the architecture's own value.
struct ModelConfig {
  Arch arch = Arch::efficientnet_v2_s;
  std::optional<std::vector<StageConfig>> stages;
  double width_mult = 1.0;
  double depth_mult = 1.0;
  KindMultipliers mbconv;
  KindMultipliers fused_mbconv;
  std::optional<std::int64_t> stem_channels;
  std::int64_t stem_stride = 2;
  std::optional<std::int64_t> head_channels;
  std::optional<double> bn_eps;
  double bn_momentum = 0.1;
  std::optional<double> dropout;
  double stochastic_depth = 0.2;
  Init init = Init::torchvision;
  std::optional<std::int64_t> num_classes;
  std::optional<std::string> weights;
};

}  // namespace effnetv2
