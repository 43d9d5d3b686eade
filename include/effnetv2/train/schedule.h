#pragma once

#include <cstdint>

#include "effnetv2/config/train_config.h"

namespace effnetv2 {

/// Where a run stands, for the schedule.
struct ScheduleClock {
  std::int64_t epoch = 0;            ///< epochs finished
  std::int64_t step_in_epoch = 0;    ///< optimizer steps taken in this epoch
  std::int64_t steps_per_epoch = 1;  ///< >= 1
  std::int64_t epochs = 1;           ///< train.epochs
};

/// What PyTorch's Python ReduceLROnPlateau keeps, and all that a checkpoint must hold of a schedule.
struct PlateauState {
  bool has_best = false;
  double best = 0.0;
  std::int64_t bad_epochs = 0;
  std::int64_t cooldown = 0;
  double lr = 0.0;  ///< the rate now, before warm-up
};

/// The rate of the next step, a pure function. Linear warm-up from 0 multiplies whatever the type gives.
/// none, step and plateau change by epoch, cosine and onecycle by step.
double learning_rate(const SchedulerConfig& config, double base_lr, const ScheduleClock& clock,
                     const PlateauState& plateau);

PlateauState initial_plateau(double base_lr);

/// Python's ReduceLROnPlateau.step(value), once an epoch. maximise: mode "max".
PlateauState plateau_step(const SchedulerConfig& config, PlateauState state, double value, bool maximise);

}  // namespace effnetv2
