#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "effnetv2/config/experiment_config.h"

namespace effnetv2 {

class EfficientNetImpl;
class Loader;
struct TrainState;

/// One line of metrics.jsonl. Accuracies in [0, 1], losses in nats.
struct EpochRow {
  std::int64_t epoch = 0;                     ///< counted from 1
  std::int64_t step = 0;                      ///< optimizer steps since the start of the run
  double lr = 0.0;                            ///< the one the epoch began with
  double train_loss = 0.0, train_top1 = 0.0;  ///< in train mode, over the epoch's own batches
  std::optional<double> val_loss, val_top1, val_top5;
  std::optional<double> train_eval_loss, train_eval_top1;
  double epoch_seconds = 0.0;
  double images_per_second = 0.0;  ///< of the training part

  /// The value of a column of metrics.jsonl that train.monitor may name.
  double monitored(const std::string& column) const;
};

/// Throws ConfigError if train.monitor names a column that will not be measured.
void check_monitor(const TrainConfig& config, bool has_validation);

/// Higher is better for accuracies, lower for losses.
bool monitor_is_maximised(const std::string& column);

/// Where a run is inside an epoch, for display.
struct StepInfo {
  std::int64_t epoch = 0;  ///< counted from 1
  std::int64_t epochs = 0;
  std::int64_t batch = 0;  ///< batches done in this epoch
  std::int64_t batches = 0;
  std::int64_t step = 0;
  double lr = 0.0;
  double loss = 0.0;  ///< mean over the epoch so far
  double top1 = 0.0;
  double images_per_second = 0.0;
};

/// What the trainer tells and asks its owner. All are called between optimizer steps, on the training thread.
struct TrainerHooks {
  /// After a step; on a card at most twice a second, as reading its sums waits for it.
  std::function<void(const StepInfo&)> on_step;
  /// Validation under way: pictures done of total.
  std::function<void(std::int64_t done, std::int64_t total)> on_validation;
  /// The epoch is over and counted in best and schedule; `improved`: the best so far by train.monitor.
  std::function<void(const EpochRow&, bool improved)> on_epoch;
  /// Something that is slower than it should be, in a sentence.
  std::function<void(const std::string&)> on_warning;
  /// Asked after each step that is not an epoch's last.
  std::function<void()> checkpoint_if_due;
};

enum class StopReason { epochs, early_stopping, interrupted };

/// Where the pictures come from; borrowed.
struct TrainerLoaders {
  Loader& train;
  Loader* val = nullptr;         ///< null: no validation split
  Loader* train_eval = nullptr;  ///< the training pictures in eval form, for train.eval_train
};

/// Optimises one network on one device: loss, optimizer, schedule, EMA, early stopping, and all state of them.
/// Borrows the loaders, which must outlive it. Prints nothing, names no files.
class Trainer {
 public:
  /// config: resolved (precision is not automatic). The device is the network's. Throws ConfigError if train.monitor
  /// names a column that will not be measured.
  Trainer(const ExperimentConfig& config, std::shared_ptr<EfficientNetImpl> network, TrainerLoaders loaders,
          TrainerHooks hooks);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Trains on from where it stands until train.epochs, early stopping, or a requested stop (core/stop.h), which
  /// ends after the current step. Throws NumericError, naming step and rate, if a loss is not finite, and DataError if
  /// no picture of a split could be read.
  StopReason fit();

  /// All that a later process needs to go on bit for bit. Tensors are aliases: write them before the next step.
  TrainState state() const;
  /// Throws CheckpointError naming the first thing that does not fit.
  void restore(const TrainState& state);

  /// Throws NumericError if a weight, an average of the optimizer or a loss of this epoch is not finite: what a
  /// checkpoint must never hold.
  void check_weights_finite() const;

  /// Runs `work` with the weights that are evaluated and saved: the EMA's if there is one.
  void with_evaluation_weights(const std::function<void(EfficientNetImpl&)>& work);

  std::int64_t epochs_done() const noexcept;
  std::int64_t steps_done() const noexcept;
  std::int64_t best_epoch() const noexcept;  ///< counted from 1; 0: none yet
  bool finished() const noexcept;            ///< epochs are over or early stopping said so

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace effnetv2
