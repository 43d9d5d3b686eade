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

/// After `epoch` (counted from 1) with the monitored `value`. Only a strictly better one improves, one that is not
/// finite never does. Epochs up to min_epochs may improve but do not count as waited.
BestState update_best(const EarlyStoppingConfig& config, BestState state, std::int64_t epoch, double value,
                      bool maximise);

/// Patience counts epochs after min_epochs: the earliest stop is after epoch min_epochs + patience. With 150 and 50 and
/// the best at 46, epochs 1 ... 200 are trained and epoch 201 never begins. A patience of 0 works as 1.
bool should_stop(const EarlyStoppingConfig& config, const BestState& state);

}  // namespace effnetv2
