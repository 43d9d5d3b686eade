#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "effnetv2/config/data_config.h"
#include "effnetv2/config/model_config.h"
#include "effnetv2/config/tensorboard_config.h"
#include "effnetv2/config/train_config.h"

namespace effnetv2 {

enum class Precision { automatic, fp32, tf32, bf16 };

/// A whole experiment, as CONFIG.json describes it. Every field has a default; docs/config.md lists them.
struct ExperimentConfig {
  std::optional<std::string> description;
  std::string name = "run";
  std::uint64_t seed = 42;
  std::string device = "auto";  ///< auto | cpu | cuda | cuda:N
  Precision precision = Precision::automatic;
  std::optional<std::int64_t> threads;  ///< "auto" in JSON: nullopt
  bool deterministic = false;
  bool cuda_graph = true;
  ModelConfig model;
  DataConfig data;
  TrainConfig train;
  CheckpointConfig checkpoint;
  TensorboardConfig tensorboard;
};

}  // namespace effnetv2
