#pragma once

#include "effnetv2/config/experiment_config.h"

namespace effnetv2 {

enum class Use { training, inference };

/// Replaces every "auto" that the machine decides: device, precision, threads. Throws EnvironmentError if the device
/// asked for is not there, ConfigError if what came out breaks a rule, such as tf32 on a CPU.
ExperimentConfig resolve_runtime(ExperimentConfig config, Use use);

/// What a precision of "auto" stands for on `config.device` (resolved); any other as it is.
Precision resolved_precision(const ExperimentConfig& config, Use use);

/// Sets the process-wide switches of LibTorch (intra-op threads, TF32, determinism, cuDNN's choice) from a resolved
/// config. Called once, before the first tensor.
void apply_runtime(const ExperimentConfig& config);

/// Loader threads: config.workers, or a number from the cores at hand (0 if every picture is in the cache as it is
/// needed).
int loader_workers(const DataConfig& config, bool cached);

}  // namespace effnetv2
