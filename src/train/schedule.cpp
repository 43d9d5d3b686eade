#include "effnetv2/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace effnetv2 {
namespace {

/// From `from` at 0 to `to` at 1 along half a cosine.
double cosine_between(double from, double to, double share) {
  return to + (from - to) / 2.0 * (1.0 + std::cos(std::numbers::pi * share));
}

double onecycle(const SchedulerConfig& config, double max_lr, std::int64_t step, std::int64_t steps) {
  const double start = max_lr / config.div_factor;
  const double peak_step = config.pct_start * static_cast<double>(steps) - 1.0;
  const double last_step = static_cast<double>(steps) - 1.0;
  const double now = std::min(static_cast<double>(step), last_step);
  if (now <= peak_step) {
    return cosine_between(start, max_lr, peak_step > 0.0 ? now / peak_step : 1.0);
  }
  return cosine_between(max_lr, start / config.final_div_factor, (now - peak_step) / (last_step - peak_step));
}

}  // namespace

std::int64_t steps_per_epoch(std::int64_t batches, std::int64_t accumulate) {
  return (batches + accumulate - 1) / accumulate;
}

double learning_rate(const SchedulerConfig& config, double base_lr, const ScheduleClock& clock,
                     const PlateauState& plateau) {
  const std::int64_t step = clock.epoch * clock.steps_per_epoch + clock.step_in_epoch;
  const std::int64_t steps = clock.epochs * clock.steps_per_epoch;
  const auto warmup =
      static_cast<std::int64_t>(std::llround(config.warmup_epochs * static_cast<double>(clock.steps_per_epoch)));

  double lr = base_lr;
  switch (config.type) {
    case SchedulerType::none:
      break;
    case SchedulerType::plateau:
      lr = plateau.lr;
      break;
    case SchedulerType::step: {
      const std::int64_t drops = clock.epoch / config.step_epochs;
      lr = base_lr * std::pow(config.gamma, static_cast<double>(drops));
      break;
    }
    case SchedulerType::cosine:
      if (step > warmup) {
        const double share =
            static_cast<double>(step - warmup) / static_cast<double>(std::max(steps - warmup, step - warmup));
        lr = cosine_between(base_lr, config.final_lr, share);
      }
      break;
    case SchedulerType::onecycle:
      lr = onecycle(config, base_lr, step, steps);
      break;
  }
  return step < warmup ? lr * static_cast<double>(step + 1) / static_cast<double>(warmup) : lr;
}

PlateauState initial_plateau(double base_lr) {
  PlateauState state;
  state.lr = base_lr;
  return state;
}

PlateauState plateau_step(const SchedulerConfig& config, PlateauState state, double value, bool maximise) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double best = state.has_best ? state.best : maximise ? -kInfinity : kInfinity;
  const bool relative = config.threshold_mode == ThresholdMode::rel;
  bool better;
  if (maximise) {
    better = value > (relative ? best * (config.threshold + 1.0) : best + config.threshold);
  } else {
    better = value < (relative ? best * (1.0 - config.threshold) : best - config.threshold);
  }
  if (better && std::isfinite(value)) {
    state.has_best = true;
    state.best = value;
    state.bad_epochs = 0;
  } else {
    state.bad_epochs += 1;
  }
  if (state.cooldown > 0) {
    state.cooldown -= 1;
    state.bad_epochs = 0;
  }
  if (state.bad_epochs > config.patience) {
    const double reduced = std::max(state.lr * config.factor, config.min_lr);
    if (state.lr - reduced > config.eps) {
      state.lr = reduced;
    }
    state.cooldown = config.cooldown;
    state.bad_epochs = 0;
  }
  return state;
}

}  // namespace effnetv2
