#include "effnetv2/train/freeze.h"

#include <string_view>

#include "effnetv2/core/error.h"

namespace effnetv2 {

std::int64_t frozen_features(const TrainConfig& config, std::int64_t stages, std::int64_t epoch) {
  constexpr std::string_view kStages = "stages:";
  std::int64_t frozen = 0;
  if (config.freeze == "backbone") {
    frozen = stages + 2;
  } else if (config.freeze.starts_with(kStages)) {
    const std::int64_t asked = std::stoll(config.freeze.substr(kStages.size()));
    if (asked > stages) {
      throw ConfigError("train.freeze: the network has " + std::to_string(stages) + " stages, got \"" + config.freeze +
                        "\"");
    }
    frozen = asked + 1;
  }
  const bool thawed = config.unfreeze_at_epoch && epoch + 1 >= *config.unfreeze_at_epoch;
  return thawed ? 0 : frozen;
}

}  // namespace effnetv2
