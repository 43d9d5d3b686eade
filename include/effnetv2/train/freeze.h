#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "effnetv2/config/train_config.h"

namespace effnetv2 {

/// What train.freeze means for EfficientNetImpl::freeze() in `epoch` (counted from 0) of a network of `stages` stages:
/// "none" 0, "stages:N" the stem and N stages, "backbone" those and the head; nothing from unfreeze_at_epoch (counted
/// from 1) on. Throws ConfigError, naming the key, for more stages than there are.
std::int64_t frozen_features(const TrainConfig& config, std::int64_t stages, std::int64_t epoch);

}  // namespace effnetv2
