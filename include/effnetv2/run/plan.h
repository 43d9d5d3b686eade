#pragma once

#include <string>

#include "effnetv2/config/experiment_config.h"

namespace effnetv2 {

/// What `train --dry-run` prints: the resolved config, network size, images per class and split, steps, estimated
/// memory. Reads the data's names; writes and decodes nothing.
std::string describe_plan(const ExperimentConfig& config);

}  // namespace effnetv2
