#pragma once

#include <cstdint>

#include "effnetv2/config/train_config.h"

namespace effnetv2 {

/// Best so far and patience, all that a checkpoint must hold of them.
struct BestState {
  bool has_best = false;
  double best = 0.0;
  std::int64_t best_epoch = 0;  ///< counted from 1
  std::int64_t waited = 0;      ///< epochs without improvement that count for early stopping
};

/// After `epoch` (counted from 1) with the monitored `value`. Not finite never improves.
BestState update_best(const EarlyStoppingConfig& config, BestState state, std::int64_t epoch, double value,
                      bool maximise);

/// Patience counts epochs after min_epochs: the earliest stop is after epoch min_epochs + patience.
bool should_stop(const EarlyStoppingConfig& config, const BestState& state);

}  // namespace effnetv2
