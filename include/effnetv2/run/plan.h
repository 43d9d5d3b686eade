#pragma once

#include <string>

#include "effnetv2/config/experiment_config.h"
#include "effnetv2/data/listing.h"

namespace effnetv2 {

/// What only config and data together show to be impossible: an epoch without a batch, a batch of one image on maps of
/// one pixel, which BatchNorm cannot train on, a train.monitor that is not measured. num_classes is resolved.
/// Throws ConfigError.
void check_plan(const ExperimentConfig& config, const Listing& listing);

/// What `train --dry-run` prints: the resolved config, network size, images per class and split, steps, estimated
/// memory. Reads the data's names; writes and decodes nothing.
std::string describe_plan(const ExperimentConfig& config);

}  // namespace effnetv2
