#include "effnetv2/train/train_step.h"

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <torch/utils.h>

#include "effnetv2/model/efficientnet.h"
#include "effnetv2/ops/cuda_device.h"
#include "effnetv2/train/ema.h"
#include "effnetv2/train/input.h"
#include "effnetv2/train/optimizer.h"
#include "effnetv2/train/step_masks.h"

namespace effnetv2 {
namespace {

constexpr std::int64_t kNoBatch = std::numeric_limits<std::int64_t>::max();

/// Steps before one is recorded: cuDNN chooses its algorithms in them.
constexpr int kWarmUp = 3;

}  // namespace

struct TrainStep::Impl {
  /// What a recorded step reads.
  struct Recorded {
    Pixels input;
    at::Tensor number;  ///< int64 scalar on the device
    StepMasks masks;
    std::unique_ptr<StepGraph> graph;  ///< null until it is recorded
    int warm_up = 0;
  };

  const ExperimentConfig& config;
  EfficientNetImpl& network;
  Optimizer& optimizer;
  Ema* ema;
  MakeStepGraph make_graph;
  at::Device device;
  bool bf16;
  InputStage input;
  MetricSums sums;
  at::Tensor first_bad;                    ///< int64 scalar on the device
  std::unique_ptr<cuda::StepQueue> queue;  ///< on a card
  std::optional<Recorded> recorded;
  bool replayed = false;
  std::string failure;

  Impl(const ExperimentConfig& config_, EfficientNetImpl& network_, Optimizer& optimizer_, Ema* ema_,
       MakeStepGraph make_graph_)
      : config(config_),
        network(network_),
        optimizer(optimizer_),
        ema(ema_),
        make_graph(std::move(make_graph_)),
        device(network.parameters().front().device()),
        bf16(config.precision == Precision::bf16),
        input(config.data, device),
        first_bad(at::full({}, kNoBatch, at::TensorOptions().dtype(at::kLong).device(device))),
        queue(device.is_cuda() && cuda_kernels_built() ? std::make_unique<cuda::StepQueue>() : nullptr) {}

  /// False if the loss is not finite and that is known already.
  bool forward_backward(const Pixels& batch, const at::Tensor& number, Noise& noise, double share) {
    const at::Tensor logits = network.forward(input.normalise(batch), &noise, bf16);
    const at::Tensor loss = cross_entropy(logits, batch.labels, config.train.loss.label_smoothing);
    note_if_not_finite(loss.detach(), number);
    if (device.is_cpu() && !std::isfinite(loss.item<double>())) {
      return false;
    }
    (share == 1.0 ? loss : loss * share).backward();
    sums.add(loss.detach(), logits.detach(), batch.labels);
    return true;
  }

  void note_if_not_finite(const at::Tensor& loss, const at::Tensor& number) const {
    const torch::NoGradGuard no_grad;
    first_bad.copy_(at::where(at::isfinite(loss), first_bad, at::minimum(first_bad, number)));
  }

  void prepare(double lr) { optimizer.prepare(lr, ema != nullptr ? ema->next_weight() : 0.0); }

  void launch() {
    optimizer.launch(config.train.grad_clip_norm, ema != nullptr ? ema->follows(network) : std::vector<Averaged>());
    optimizer.zero_grad();
  }

  at::Tensor number_of(const Batch& batch) const { return at::full({}, batch.number, first_bad.options()); }

  bool eager(const Batch& batch, std::int64_t pass, double share) {
    SeededNoise noise(config.seed, pass);
    return forward_backward(input.upload(batch), number_of(batch), noise, share);
  }

  void end() {
    if (queue) {
      queue->end_step();
    }
  }

  bool may_record(const Batch& batch) const {
    return make_graph != nullptr && batch.size == config.train.batch_size && config.train.accumulate == 1;
  }

  /// Puts what changes from step to step where a recorded one reads it.
  void load(const Batch& batch, std::int64_t pass) {
    if (!recorded) {
      recorded.emplace(Recorded{input.places_for(batch), number_of(batch),
                                StepMasks(network.architecture(), batch.size, device), nullptr});
    }
    input.upload(batch, recorded->input);
    recorded->number.fill_(batch.number);
    recorded->masks.draw(config.seed, pass);
  }

  /// Where everything that was loaded and prepared is.
  void step() {
    if (forward_backward(recorded->input, recorded->number, recorded->masks, 1.0)) {
      launch();
    }
  }

  /// Without a graph the step is done all the same.
  void record() {
    try {
      auto graph = make_graph();
      graph->capture([this] { step(); });
      recorded->graph = std::move(graph);
    } catch (const c10::Error& e) {
      make_graph = nullptr;
      optimizer.zero_grad();
      optimizer.forget_captured();
      failure = e.what_without_backtrace();
    }
  }
};

TrainStep::TrainStep(const ExperimentConfig& config, EfficientNetImpl& network, Optimizer& optimizer, Ema* ema,
                     MakeStepGraph make_graph)
    : impl_(std::make_unique<Impl>(config, network, optimizer, ema, std::move(make_graph))) {}
TrainStep::~TrainStep() = default;

void TrainStep::run(const Batch& batch, std::int64_t pass, double lr) {
  Impl& step = *impl_;
  step.replayed = false;
  if (!step.may_record(batch)) {
    if (step.eager(batch, pass, 1.0)) {
      step.prepare(lr);
      step.launch();
    }
    step.end();
    return;
  }
  step.load(batch, pass);
  step.prepare(lr);
  if (!step.recorded->graph && step.recorded->warm_up++ >= kWarmUp) {
    step.record();
  }
  if (step.recorded->graph) {
    step.recorded->graph->replay();
    step.replayed = true;
  } else {
    step.step();
  }
  step.end();
}

void TrainStep::accumulate(const Batch& batch, std::int64_t pass, double share) {
  impl_->eager(batch, pass, share);
  impl_->end();
}

void TrainStep::update(double lr, double grad_scale) {
  if (grad_scale != 1.0) {
    const torch::NoGradGuard no_grad;
    for (auto& parameter : impl_->network.parameters()) {
      if (parameter.grad().defined()) {
        parameter.mutable_grad().mul_(grad_scale);
      }
    }
  }
  impl_->prepare(lr);
  impl_->launch();
}

void TrainStep::forget_graph() {
  impl_->recorded.reset();
  impl_->optimizer.forget_captured();
}

bool TrainStep::replayed() const noexcept {
  return impl_->replayed;
}

std::string TrainStep::recording_failure() const {
  return impl_->failure;
}

MetricSums& TrainStep::sums() noexcept {
  return impl_->sums;
}
const MetricSums& TrainStep::sums() const noexcept {
  return impl_->sums;
}

std::optional<std::int64_t> TrainStep::first_bad_batch() const {
  const auto bad = impl_->first_bad.item<std::int64_t>();
  return bad == kNoBatch ? std::nullopt : std::optional(bad);
}

void TrainStep::reset() {
  impl_->sums.reset();
  impl_->first_bad.fill_(kNoBatch);
}

MakeStepGraph step_graphs_for(const ExperimentConfig& config) {
  return config.device != "cpu" && config.cuda_graph && has_cuda_kernels() ? cuda::step_graph : MakeStepGraph();
}

}  // namespace effnetv2
