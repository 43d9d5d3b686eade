#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "effnetv2/config/experiment_config.h"
#include "effnetv2/core/log.h"
#include "effnetv2/core/progress.h"
#include "effnetv2/run/operation_profile.h"

namespace effnetv2 {

enum class BenchMode {
  train,  ///< forward, loss, backward and update on one batch of random images
  infer,  ///< forward in eval mode, likewise
  data,   ///< the next batch of data.root's training images from the loader; no network
};

struct BenchResult;

struct BenchRequest {
  ExperimentConfig config;
  BenchMode mode = BenchMode::train;
  std::int64_t steps = 20;  ///< timed, >= 1
  std::int64_t warmup = 5;  ///< before them, >= 0
  bool profile = false;     ///< and where the time of a few more steps goes; not for data
  /// Told of each round of `steps` steps; one more is timed if it says so. Without it there is one round.
  std::function<bool(const BenchResult&)> another_round;
};

/// Milliseconds per step over the timed ones, of the last round.
struct BenchResult {
  BenchMode mode = BenchMode::train;
  std::string device, precision;
  std::int64_t threads = 0, image_size = 0, batch_size = 0, steps = 0;
  double median_ms = 0.0, mean_ms = 0.0, min_ms = 0.0, p10_ms = 0.0, p90_ms = 0.0;
  double images_per_second = 0.0;  ///< images of a step over the median; data: over the mean, as workers run ahead
  /// CPU: of the process since its start; CUDA: held by LibTorch in the timed steps.
  std::int64_t peak_memory_bytes = 0;
  std::vector<OperationCost> operations;  ///< if asked for
  std::optional<Ceilings> ceilings;       ///< with them
};

/// Times steps. train and infer need model.num_classes or data.root. Throws ConfigError for a request out of range.
BenchResult run_bench(const BenchRequest& request, const ProgressFn& progress, const std::shared_ptr<Log>& log);

/// The document of `bench --json` (CLI.md).
nlohmann::ordered_json to_json(const BenchResult& result);

/// "train", "infer" or "data".
std::string to_string(BenchMode mode);

}  // namespace effnetv2
