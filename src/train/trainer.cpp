#include "effnetv2/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <utility>

#include <ATen/ATen.h>
#include <torch/utils.h>

#include "effnetv2/core/error.h"
#include "effnetv2/core/stop.h"
#include "effnetv2/core/text.h"
#include "effnetv2/data/loader.h"
#include "effnetv2/model/efficientnet.h"
#include "effnetv2/model/summary.h"
#include "effnetv2/train/checkpoint.h"
#include "effnetv2/train/early_stopping.h"
#include "effnetv2/train/ema.h"
#include "effnetv2/train/evaluate.h"
#include "effnetv2/train/freeze.h"
#include "effnetv2/train/input.h"
#include "effnetv2/train/metrics.h"
#include "effnetv2/train/optimizer.h"
#include "effnetv2/train/schedule.h"
#include "effnetv2/train/train_progress.h"
#include "effnetv2/train/train_step.h"
#include "effnetv2/weights/state_dict.h"

namespace effnetv2 {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

NamedTensors with_prefix(const std::string& prefix, const NamedTensors& tensors) {
  NamedTensors result;
  for (const auto& [name, tensor] : tensors) {
    result.emplace_back(prefix + name, tensor);
  }
  return result;
}

NamedTensors without_prefix(const std::string& prefix, const NamedTensors& tensors) {
  NamedTensors result;
  for (const auto& [name, tensor] : tensors) {
    if (name.starts_with(prefix)) {
      result.emplace_back(name.substr(prefix.size()), tensor);
    }
  }
  return result;
}

/// Each parameter with its decay and its share of the learning rate.
std::vector<OptimizedParameter> parameters_of(const EfficientNetImpl& network, const TrainConfig& config) {
  auto parameters = optimized_parameters(network, config.optimizer);
  for (auto& parameter : parameters) {
    if (!parameter.name.starts_with("classifier.")) {
      parameter.lr_scale = config.backbone_lr_scale;
    }
  }
  return parameters;
}

void append(NamedTensors& to, const NamedTensors& from) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

double EpochRow::monitored(const std::string& column) const {
  const std::map<std::string, std::optional<double>> columns{{"train_loss", train_loss},
                                                             {"train_top1", train_top1},
                                                             {"val_loss", val_loss},
                                                             {"val_top1", val_top1},
                                                             {"val_top5", val_top5},
                                                             {"train_eval_loss", train_eval_loss},
                                                             {"train_eval_top1", train_eval_top1}};
  const auto it = columns.find(column);
  if (it == columns.end() || !it->second) {
    throw ConfigError("train.monitor: there is no value of \"" + column + "\"");
  }
  return *it->second;
}

void check_monitor(const TrainConfig& config, bool has_validation) {
  if (config.monitor.starts_with("val_") && !has_validation) {
    throw ConfigError("train.monitor: \"" + config.monitor +
                      "\" needs validation images, but the data has none; set data.split.val above 0, add a val "
                      "folder, or monitor train_loss");
  }
  if (config.monitor.starts_with("train_eval_") && !config.eval_train) {
    throw ConfigError("train.monitor: \"" + config.monitor + "\" needs train.eval_train: true");
  }
}

bool monitor_is_maximised(const std::string& column) {
  return !column.ends_with("loss");
}

struct Trainer::Impl {
  ExperimentConfig config;
  std::shared_ptr<EfficientNetImpl> network;
  TrainerLoaders loaders;
  TrainerHooks hooks;
  at::Device device;
  bool bf16;
  InputStage input;
  Optimizer optimizer;
  std::optional<Ema> ema;
  TrainStep step;
  bool maximise;
  /// A batch that bad pictures left smaller than this is passed over: BatchNorm has nothing to normalise one value by.
  std::int64_t least_batch;

  // everything below is in the checkpoint
  std::int64_t epoch = 0;  ///< epochs finished
  std::int64_t batch = 0;  ///< batches done in the epoch under way; == batches while validation is due
  PlateauState plateau;
  BestState best;
  double train_seconds = 0.0;  ///< of the epoch under way
  std::int64_t images = 0;     ///< trained on in this epoch

  // the accumulation group under way, always empty at a checkpoint
  std::int64_t group_images = 0;
  std::int64_t frozen = 0;    ///< features that do not learn
  bool told_failure = false;  ///< of recording
  Clock::time_point epoch_clock, last_report;
  double epoch_seconds_before = 0.0;

  Impl(const ExperimentConfig& config_, std::shared_ptr<EfficientNetImpl> network_, TrainerLoaders loaders_,
       TrainerHooks hooks_)
      : config(config_),
        network(std::move(network_)),
        loaders(loaders_),
        hooks(std::move(hooks_)),
        device(network->parameters().front().device()),
        bf16(config.precision == Precision::bf16),
        input(config.data, device),
        optimizer(config.train.optimizer, parameters_of(*network, config.train)),
        ema(config.train.ema.decay ? std::make_optional<Ema>(config.train.ema, *network) : std::nullopt),
        step(config, *network, optimizer, ema ? &*ema : nullptr, step_graphs_for(config)),
        maximise(monitor_is_maximised(config.train.monitor)),
        least_batch(ends_in_one_pixel(network->architecture(), config.data.image_size) ? 2 : 1),
        plateau(initial_plateau(config.train.optimizer.lr)) {
    check_monitor(config.train, loaders.val != nullptr);
  }

  std::int64_t batches() const { return loaders.train.batches(); }
  std::int64_t stages() const { return static_cast<std::int64_t>(network->architecture().stages.size()); }
  ScheduleClock clock_at(std::int64_t step_in_epoch) const {
    return {epoch, step_in_epoch, steps_per_epoch(batches(), config.train.accumulate), config.train.epochs};
  }
  double rate_at(std::int64_t step_in_epoch) const {
    return learning_rate(config.train.scheduler, config.train.optimizer.lr, clock_at(step_in_epoch), plateau);
  }

  bool finished() const { return epoch >= config.train.epochs || should_stop(config.train.early_stopping, best); }

  StopReason fit() {
    std::unique_ptr<cuda::CapturableStream> stream;
    if (step_graphs_for(config)) {
      stream = std::make_unique<cuda::CapturableStream>(device);
    }
    network->train();
    while (!finished()) {
      epoch_clock = Clock::now();
      epoch_seconds_before = train_seconds;
      if (!train_rest_of_epoch() || !finish_epoch()) {
        return StopReason::interrupted;
      }
      if (stop_requested() && !finished()) {
        return StopReason::interrupted;
      }
    }
    return reason();
  }

  StopReason reason() const {
    return should_stop(config.train.early_stopping, best) ? StopReason::early_stopping : StopReason::epochs;
  }

  /// False if a stop was asked for; the state is then between two steps.
  bool train_rest_of_epoch() {
    const std::int64_t freeze = frozen_features(config.train, stages(), epoch);
    network->freeze(freeze);
    if (freeze != std::exchange(frozen, freeze)) {
      step.forget_graph();
    }
    const auto accumulate = config.train.accumulate;
    loaders.train.start(epoch, batch);
    while (batch < batches()) {
      auto next = loaders.train.next();
      if (!next) {
        throw DataError("the training images ended after batch " + std::to_string(batch) + " of " +
                        std::to_string(batches()));
      }
      if (usable(*next)) {
        train_on(*next);
      }
      ++batch;
      if (batch % accumulate != 0 && batch != batches()) {
        continue;
      }
      end_group();
      train_seconds = epoch_seconds_before + seconds_since(epoch_clock);
      report_step();
      if (stop_requested()) {
        return false;
      }
      if (batch < batches() && hooks.checkpoint_if_due) {
        hooks.checkpoint_if_due();
      }
    }
    return true;
  }

  /// A batch that bad pictures left too small is passed over.
  bool usable(const Batch& data) const { return data.size >= least_batch; }

  void train_on(const Batch& data) {
    // one stream of masks per batch of the run, so that a resumed epoch draws the same ones
    const std::int64_t pass = epoch * batches() + data.number;
    if (config.train.accumulate == 1) {
      step.run(data, pass, rate_at(batch));
      if (!told_failure && !step.recording_failure().empty()) {
        told_failure = true;
        if (hooks.on_warning) {
          hooks.on_warning("the training step could not be recorded as a CUDA graph and runs without one: " +
                           step.recording_failure());
        }
      }
    } else {
      // every picture of the group weighs the same, whatever the sizes of its batches
      step.accumulate(data, pass, static_cast<double>(data.size) / static_cast<double>(group_capacity()));
    }
    if (device.is_cpu()) {
      check_losses();  // on a card that would wait for it
    }
    group_images += data.size;
    images += data.size;
  }

  std::int64_t group_capacity() const { return config.train.batch_size * config.train.accumulate; }

  void end_group() {
    if (config.train.accumulate > 1 && group_images > 0) {
      step.update(rate_at((batch - 1) / config.train.accumulate),
                  static_cast<double>(group_capacity()) / static_cast<double>(group_images));
    }
    group_images = 0;
  }

  void check_losses() const {
    const auto bad = step.first_bad_batch();
    if (!bad) {
      return;
    }
    const auto accumulate = config.train.accumulate;
    const std::int64_t done = batch == batches() ? steps_per_epoch(batch, accumulate) : batch / accumulate;
    const std::int64_t number = optimizer.steps() - done + *bad / accumulate + 1;
    fail_not_finite("the loss is not finite at step " + std::to_string(number), *bad / accumulate);
  }

  [[noreturn]] void fail_not_finite(const std::string& what, std::int64_t step_in_epoch) const {
    throw NumericError(what + " (epoch " + std::to_string(epoch + 1) + "), learning rate " +
                       shortest(rate_at(step_in_epoch)) +
                       "; try a smaller train.optimizer.lr, warm-up or train.grad_clip_norm");
  }

  /// Of a whole pass over a split.
  void check_pass(const Metrics& metrics, const std::string& split) const {
    if (metrics.samples == 0) {
      throw DataError("none of the " + split + " images could be used in epoch " + std::to_string(epoch + 1) +
                      ": all of them are bad");
    }
    if (!std::isfinite(metrics.loss)) {
      fail_not_finite("the loss of the " + split + " images is " + shortest(metrics.loss) + " after step " +
                          std::to_string(optimizer.steps()),
                      (batches() - 1) / config.train.accumulate);
    }
  }

  void report_step() {
    if (!hooks.on_step) {
      return;
    }
    const auto now = Clock::now();
    if (!device.is_cpu() && now - last_report < std::chrono::milliseconds(500)) {
      return;
    }
    last_report = now;
    const Metrics so_far = step.sums().result();
    hooks.on_step({epoch + 1, config.train.epochs, batch, batches(), optimizer.steps(),
                   rate_at((batch - 1) / config.train.accumulate), so_far.loss, so_far.top1,
                   static_cast<double>(images) / std::max(train_seconds, 1e-9)});
  }

  /// Validates, counts the epoch and tells. False if a stop was asked for during validation.
  bool finish_epoch() {
    EpochRow row;
    const Metrics train = step.sums().result();
    if (!device.is_cpu()) {  // which is done only now
      train_seconds = epoch_seconds_before + seconds_since(epoch_clock);
    }
    check_losses();
    check_pass(train, "training");
    row.train_loss = train.loss;
    row.train_top1 = train.top1;
    row.lr = rate_at(0);
    row.images_per_second = static_cast<double>(images) / std::max(train_seconds, 1e-9);
    const auto validation_clock = Clock::now();
    std::optional<Metrics> val, train_eval;
    with_evaluation_weights([&](EfficientNetImpl& weights) {
      val = measure(weights, loaders.val);
      train_eval = measure(weights, loaders.train_eval);
    });
    if (stop_requested()) {
      return false;
    }
    if (val) {
      check_pass(*val, "validation");
      row.val_loss = val->loss;
      row.val_top1 = val->top1;
      row.val_top5 = val->top5;
    }
    if (train_eval) {
      check_pass(*train_eval, "training");
      row.train_eval_loss = train_eval->loss;
      row.train_eval_top1 = train_eval->top1;
    }
    row.epoch = epoch + 1;
    row.step = optimizer.steps();
    row.epoch_seconds = train_seconds + seconds_since(validation_clock);

    const double value = row.monitored(config.train.monitor);
    const auto best_before = best.best_epoch;
    best = update_best(config.train.early_stopping, best, row.epoch, value, maximise);
    if (config.train.scheduler.type == SchedulerType::plateau) {
      plateau = plateau_step(config.train.scheduler, plateau, value, maximise);
    }
    epoch += 1;
    batch = 0;
    images = 0;
    train_seconds = 0.0;
    step.reset();
    if (hooks.on_epoch) {
      hooks.on_epoch(row, best.best_epoch != best_before);
    }
    return true;
  }

  /// In the precision of training: what is chosen by validation is what was optimised.
  std::optional<Metrics> measure(EfficientNetImpl& weights, Loader* loader) const {
    if (loader == nullptr) {
      return std::nullopt;
    }
    return evaluate(weights, *loader, input, {.bf16 = bf16, .stoppable = true}, hooks.on_validation).metrics;
  }

  void with_evaluation_weights(const std::function<void(EfficientNetImpl&)>& work) {
    if (!ema) {
      work(*network);
      return;
    }
    ema->swap(*network);
    struct SwapBack {
      Ema& ema;
      EfficientNetImpl& network;
      ~SwapBack() { ema.swap(network); }
    } const swap_back{*ema, *network};
    work(*network);
  }

  TrainState state() const {
    TrainState state;
    append(state.tensors, with_prefix("model.", state_dict(*network)));
    if (ema) {
      append(state.tensors, with_prefix("ema.", ema->state()));
    }
    append(state.tensors, with_prefix("optimizer.", optimizer.state()));
    TrainProgress progress{.epoch = epoch,
                           .batch = batch,
                           .images = images,
                           .train_seconds = train_seconds,
                           .optimizer_steps = optimizer.steps(),
                           .ema_updates = ema ? ema->updates() : 0,
                           .metric_sums = {},
                           .plateau = plateau,
                           .best = best};
    const at::Tensor sums = step.sums().state();
    std::copy_n(sums.data_ptr<double>(), progress.metric_sums.size(), progress.metric_sums.begin());
    state.values = to_json(progress);
    return state;
  }

  void restore(const TrainState& state) {
    const TrainProgress progress = train_progress(state);
    if (progress.batch > batches()) {
      throw CheckpointError(state.name + ": stands at epoch " + std::to_string(progress.epoch) + ", batch " +
                            std::to_string(progress.batch) + ", but an epoch has " + std::to_string(batches()) +
                            " batches");
    }
    load_state_dict(*network, without_prefix("model.", state.tensors), state.name);
    optimizer.load_state(without_prefix("optimizer.", state.tensors), progress.optimizer_steps);
    if (ema) {
      ema->load_state(without_prefix("ema.", state.tensors), progress.ema_updates);
    }
    epoch = progress.epoch;
    batch = progress.batch;
    images = progress.images;
    train_seconds = progress.train_seconds;
    step.sums().load_state(at::tensor(at::ArrayRef<double>(progress.metric_sums), at::kDouble));
    plateau = progress.plateau;
    best = progress.best;
  }
};

Trainer::Trainer(const ExperimentConfig& config, std::shared_ptr<EfficientNetImpl> network, TrainerLoaders loaders,
                 TrainerHooks hooks)
    : impl_(std::make_unique<Impl>(config, std::move(network), loaders, std::move(hooks))) {}
Trainer::~Trainer() = default;

StopReason Trainer::fit() {
  return impl_->fit();
}
TrainState Trainer::state() const {
  return impl_->state();
}
void Trainer::restore(const TrainState& state) {
  impl_->restore(state);
}
void Trainer::with_evaluation_weights(const std::function<void(EfficientNetImpl&)>& work) {
  impl_->with_evaluation_weights(work);
}

void Trainer::check_weights_finite() const {
  impl_->check_losses();  // which say more of when
  const auto fail = [&](const std::string& what) {
    throw NumericError(what + " after step " + std::to_string(impl_->optimizer.steps()) + ", learning rate " +
                       shortest(impl_->rate_at(impl_->batch / impl_->config.train.accumulate)) +
                       "; try a smaller train.optimizer.lr, train.optimizer.weight_decay, warm-up or "
                       "train.grad_clip_norm");
  };
  for (const auto& [name, tensor] : state_dict(*impl_->network)) {
    // the sum of squares is not finite exactly if an element is not, or if its square overflows: as bad
    if (tensor.is_floating_point() && !std::isfinite(tensor.detach().pow(2).sum().item<double>())) {
      fail("the weights are not finite any more: " + name);
    }
  }
  // a mean of squares that overflowed divides every later update away: nothing would be learned, in silence
  for (const auto& [name, tensor] : impl_->optimizer.state()) {
    if (tensor.is_floating_point() && !tensor.isfinite().all().item<bool>()) {
      fail("the optimizer's averages are not finite any more: " + name);
    }
  }
}

std::int64_t Trainer::epochs_done() const noexcept {
  return impl_->epoch;
}
std::int64_t Trainer::steps_done() const noexcept {
  return impl_->optimizer.steps();
}
std::int64_t Trainer::best_epoch() const noexcept {
  return impl_->best.best_epoch;
}
bool Trainer::finished() const noexcept {
  return impl_->finished();
}

}  // namespace effnetv2
