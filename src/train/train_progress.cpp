#include "effnetv2/train/train_progress.h"

#include <algorithm>

#include "effnetv2/train/state_values.h"

namespace effnetv2 {

nlohmann::json to_json(const TrainProgress& progress) {
  const PlateauState& plateau = progress.plateau;
  const BestState& best = progress.best;
  return {
      {"epoch", progress.epoch},
      {"batch", progress.batch},
      {"images", progress.images},
      {"train_seconds", progress.train_seconds},
      {"optimizer_steps", progress.optimizer_steps},
      {"ema_updates", progress.ema_updates},
      {"metric_sums", progress.metric_sums},
      {"plateau",
       {{"has_best", plateau.has_best},
        {"best", plateau.best},
        {"bad_epochs", plateau.bad_epochs},
        {"cooldown", plateau.cooldown},
        {"lr", plateau.lr}}},
      {"best",
       {{"has_best", best.has_best}, {"best", best.best}, {"best_epoch", best.best_epoch}, {"waited", best.waited}}},
  };
}

TrainProgress train_progress(const TrainState& state) {
  const StateValues values(state);
  TrainProgress progress;
  progress.epoch = values.count("epoch");
  progress.batch = values.count("batch");
  progress.images = values.count("images");
  progress.train_seconds = values.number("train_seconds");
  progress.optimizer_steps = values.count("optimizer_steps");
  progress.ema_updates = values.count("ema_updates");
  std::ranges::copy(values.numbers("metric_sums", progress.metric_sums.size()), progress.metric_sums.begin());
  const StateValues plateau = values.object("plateau");
  progress.plateau = {plateau.flag("has_best"), plateau.number("best"), plateau.count("bad_epochs"),
                      plateau.count("cooldown"), plateau.number("lr")};
  const StateValues best = values.object("best");
  progress.best = {best.flag("has_best"), best.number("best"), best.count("best_epoch"), best.count("waited")};
  return progress;
}

}  // namespace effnetv2
