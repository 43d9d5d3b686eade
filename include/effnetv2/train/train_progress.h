#pragma once

#include <array>
#include <cstdint>

#include <nlohmann/json.hpp>

#include "effnetv2/train/early_stopping.h"
#include "effnetv2/train/schedule.h"

namespace effnetv2 {

struct TrainState;

/// Where a training stands: what a state holds of the trainer beside tensors.
struct TrainProgress {
  std::int64_t epoch = 0;               ///< epochs finished
  std::int64_t batch = 0;               ///< batches done in the epoch under way
  std::int64_t images = 0;              ///< trained on in this epoch
  double train_seconds = 0.0;           ///< of the epoch under way
  std::int64_t optimizer_steps = 0;     ///< since the start of the run
  std::int64_t ema_updates = 0;         ///< 0 without EMA
  std::array<double, 4> metric_sums{};  ///< MetricSums::state() of this epoch
  PlateauState plateau;
  BestState best;
};

nlohmann::json to_json(const TrainProgress& progress);
/// Throws CheckpointError, naming the state and what is missing or of another kind.
TrainProgress train_progress(const TrainState& state);

}  // namespace effnetv2
