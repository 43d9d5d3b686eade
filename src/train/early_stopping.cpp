#include "effnetv2/train/early_stopping.h"

#include <algorithm>
#include <cmath>

namespace effnetv2 {

BestState update_best(const EarlyStoppingConfig& config, BestState state, std::int64_t epoch, double value,
                      bool maximise) {
  const bool better = !state.has_best || (maximise ? value > state.best : value < state.best);
  if (std::isfinite(value) && better) {
    return {true, value, epoch, 0};
  }
  if (epoch > config.min_epochs) {
    state.waited += 1;
  }
  return state;
}

bool should_stop(const EarlyStoppingConfig& config, const BestState& state) {
  return config.patience && state.waited >= std::max<std::int64_t>(*config.patience, 1);
}

}  // namespace effnetv2
