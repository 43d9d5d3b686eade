#pragma once

#include <vector>

#include "effnetv2/config/experiment_config.h"

#include "check.h"

namespace effnetv2 {

/// The rules across fields that `config` breaks. A rule is left out where a key that it reads is in `issues`.
std::vector<Issue> broken_rules(const ExperimentConfig& config, const std::vector<Issue>& issues = {});

}  // namespace effnetv2
