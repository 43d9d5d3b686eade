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

/// Optimizer steps in an epoch: one for each `accumulate` batches, and one for what is left.
std::int64_t steps_per_epoch(std::int64_t batches, std::int64_t accumulate);

/// What PyTorch's Python ReduceLROnPlateau keeps, and all that a checkpoint must hold of a schedule.
struct PlateauState {
  bool has_best = false;
  double best = 0.0;
  std::int64_t bad_epochs = 0;
  std::int64_t cooldown = 0;
  double lr = 0.0;  ///< the rate now, before warm-up
};

/// The rate of the next step, a pure function, for a run of E = clock.epochs epochs of S = clock.steps_per_epoch steps,
/// of which s = clock.epoch * S + clock.step_in_epoch are done:
/// - none: base_lr. plateau: plateau.lr. step: base_lr * gamma^(clock.epoch / step_epochs, whole), as torch's StepLR.
/// - cosine: half a cosine from base_lr at the end of the warm-up to final_lr at step E * S, by step; without warm-up
///   it meets torch's CosineAnnealingLR (T_max = E, eta_min = final_lr) at the start of each epoch.
/// - onecycle: torch's OneCycleLR with max_lr = base_lr, E * S steps, cosine annealing, two phases, by step.
/// Warm-up multiplies any of them by (s + 1) / W while s < W = warmup_epochs * S, rounded to whole steps: the first
/// step takes 1 / W of the rate, not 0, and step W - 1 all of it.
double learning_rate(const SchedulerConfig& config, double base_lr, const ScheduleClock& clock,
                     const PlateauState& plateau);

PlateauState initial_plateau(double base_lr);

/// Python's ReduceLROnPlateau.step(value), once an epoch. maximise: mode "max". A value that is not finite never
/// improves.
PlateauState plateau_step(const SchedulerConfig& config, PlateauState state, double value, bool maximise);

}  // namespace effnetv2
