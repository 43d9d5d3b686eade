#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "effnetv2/config/experiment_config.h"
#include "effnetv2/ops/step_graph.h"
#include "effnetv2/train/metrics.h"

namespace effnetv2 {

class EfficientNetImpl;
class Ema;
class Optimizer;
struct Batch;

/// What an optimizer step does to a network: forward, loss, backward, clipping, update, EMA; and the sums that an epoch
/// is told by, which stay on the device. On a card nothing waits for it, and steps of whole batches are one CUDA graph
/// after the first few: the same numbers, one launch.
class TrainStep {
 public:
  /// config: resolved. Everything is borrowed. make_graph: none where steps are not to be recorded; tests record on the
  /// CPU.
  TrainStep(const ExperimentConfig& config, EfficientNetImpl& network, Optimizer& optimizer, Ema* ema,
            MakeStepGraph make_graph);
  ~TrainStep();
  TrainStep(const TrainStep&) = delete;
  TrainStep& operator=(const TrainStep&) = delete;

  /// A whole step at rate `lr`. pass: which of the run's batches this is, counted from 0, for the masks; batch.number
  /// is noted if its loss is not finite. On the CPU such a loss ends the step there, before its gradients.
  void run(const Batch& batch, std::int64_t pass, double lr);

  /// Half a step, for train.accumulate: gradients of share * loss are added to those that are there.
  void accumulate(const Batch& batch, std::int64_t pass, double share);
  /// The other half. grad_scale: what gradients are multiplied by first.
  void update(double lr, double grad_scale);

  /// Frees the recorded step, and records another one later: for when what is trained has changed.
  void forget_graph();
  /// Whether the last run() was a replay.
  bool replayed() const noexcept;
  /// Why steps are not recorded although they were to be; empty if nothing failed.
  std::string recording_failure() const;

  /// Of the epoch under way.
  MetricSums& sums() noexcept;
  const MetricSums& sums() const noexcept;
  /// The number of the first batch since reset() whose loss was not finite. Waits for the card.
  std::optional<std::int64_t> first_bad_batch() const;
  /// Empties both.
  void reset();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// How steps are recorded on the network's device with this config: not at all on the CPU.
MakeStepGraph step_graphs_for(const ExperimentConfig& config);

}  // namespace effnetv2
