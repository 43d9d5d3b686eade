#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "effnetv2/config/experiment_config.h"

namespace effnetv2 {

/// "1.13.0".
std::string torch_version();
/// "13.0", or "none" for a build without CUDA.
std::string cuda_version();

/// env.json: this process's command line, versions, git revision, compiler, machine, device, threads, start time. Words
/// that are no UTF-8 are written as printable() does.
nlohmann::ordered_json describe_environment(const ExperimentConfig& resolved);

}  // namespace effnetv2
