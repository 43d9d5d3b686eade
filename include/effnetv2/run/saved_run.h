#pragma once

#include <optional>
#include <set>
#include <string>

#include <nlohmann/json.hpp>

#include "effnetv2/config/experiment_config.h"
#include "effnetv2/run/event_file.h"
#include "effnetv2/run/metrics_log.h"

namespace effnetv2 {

struct TrainState;

/// What a training state holds of the run around the trainer: "run" among its values.
struct SavedRun {
  ExperimentConfig config;
  nlohmann::json data;    ///< fingerprint() of the images
  std::string cpu_level;  ///< the instructions in use
  MetricsLog::Position metrics;
  double seconds = 0.0;                       ///< of all processes so far
  nlohmann::ordered_json last_row, best_row;  ///< of metrics.jsonl; null: none yet
  std::set<std::string> bad_images;           ///< left out so far
  std::optional<EventFile::Position> events;  ///< without TensorBoard: none
};

nlohmann::json to_json(const SavedRun& run);
/// Throws CheckpointError, naming the state and what is missing or of another kind.
SavedRun saved_run(const TrainState& state);

}  // namespace effnetv2
