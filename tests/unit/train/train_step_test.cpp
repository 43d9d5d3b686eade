// The training step, whole and recorded. Recording is tried on the CPU: with a graph that does its work when it is
// replayed.
#include "effnetv2/train/train_step.h"

#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>

#include "effnetv2/data/loader.h"
#include "effnetv2/model/efficientnet.h"
#include "effnetv2/ops/cuda_device.h"
#include "effnetv2/train/ema.h"
#include "effnetv2/train/optimizer.h"
#include "effnetv2/weights/state_dict.h"

#include "support/network.h"

namespace effnetv2 {
namespace {

constexpr std::int64_t kBatch = 4, kSize = 32, kClasses = 7;

ExperimentConfig some_config() {
  ExperimentConfig config;
  config.device = "cpu";
  config.precision = Precision::fp32;
  config.model.stages = {{BlockKind::fused_mbconv, 1, 3, 1, 16, 2}, {BlockKind::mbconv, 4, 3, 2, 24, 2}};
  config.model.stem_channels = 16;
  config.model.head_channels = 32;
  config.model.dropout = 0.3;
  config.model.stochastic_depth = 0.4;
  config.train.batch_size = kBatch;
  config.train.loss.label_smoothing = 0.1;
  config.train.optimizer.type = OptimizerType::adamw;
  config.train.optimizer.weight_decay = 0.05;
  config.train.grad_clip_norm = 0.5;
  config.train.ema.decay = 0.9;
  config.train.ema.warmup = true;
  return config;
}

Batch batch_of(std::int64_t number, std::int64_t size) {
  Batch batch;
  batch.number = number;
  batch.size = size;
  batch.image_size = kSize;
  at::manual_seed(static_cast<std::uint64_t>(100 + number));
  const at::Tensor pixels = at::randint(0, 256, {size * kSize * kSize * 3}, at::kByte);
  batch.pixels.assign(pixels.data_ptr<std::uint8_t>(), pixels.data_ptr<std::uint8_t>() + pixels.numel());
  for (std::int64_t i = 0; i < size; ++i) {
    batch.labels.push_back((number + 3 * i) % kClasses);
    batch.indices.push_back(i);
  }
  return batch;
}

/// As a CUDA graph: what is recorded is not done, and a replay sees nothing but tensors. The host's values of the
/// moment of recording would be seen again, were there any.
class FakeGraph final : public StepGraph {
 public:
  void capture(const std::function<void()>& work) override { work_ = work; }
  void replay() override { work_(); }

 private:
  std::function<void()> work_;
};

struct Training {
  ExperimentConfig config;
  std::shared_ptr<EfficientNetImpl> network;
  Optimizer optimizer;
  Ema ema;
  TrainStep step;

  Training(const ExperimentConfig& config_, const MakeStepGraph& make_graph, at::Device device = at::kCPU)
      : config(config_),
        network(test::formula_network(architecture(with_defaults(config.model), kClasses),
                                      {at::kFloat, at::MemoryFormat::ChannelsLast})),
        optimizer(config.train.optimizer,
                  (network->to(device), optimized_parameters(*network, config.train.optimizer))),
        ema(config.train.ema, *network),
        step(config, *network, optimizer, &ema, make_graph) {
    network->train();
  }

  /// Two epochs of seven batches, the last of them short; the rate changes at every step. How many were replayed.
  int train() {
    int replays = 0;
    for (std::int64_t pass = 0; pass < 14; ++pass) {
      const std::int64_t number = pass % 7;
      step.run(batch_of(number, number == 6 ? kBatch - 1 : kBatch), pass, 0.01 / static_cast<double>(pass + 1));
      replays += step.replayed() ? 1 : 0;
      for (const auto& parameter : network->parameters()) {
        EXPECT_FALSE(parameter.grad().defined());
      }
    }
    return replays;
  }

  NamedTensors state() const {
    NamedTensors all = state_dict(*network);
    for (const auto& tensors : {ema.state(), optimizer.state()}) {
      all.insert(all.end(), tensors.begin(), tensors.end());
    }
    all.emplace_back("sums", step.sums().state());
    return all;
  }
};

void expect_same_bits(const Training& a, const Training& b) {
  const auto left = a.state(), right = b.state();
  ASSERT_EQ(left.size(), right.size());
  for (std::size_t i = 0; i < left.size(); ++i) {
    EXPECT_TRUE(at::equal(left[i].second, right[i].second)) << left[i].first;
  }
}

MakeStepGraph fake() {
  return [] { return std::make_unique<FakeGraph>(); };
}

TEST(TrainStep, ARecordedStepIsTheSameStep) {
  Training eager(some_config(), {}), recorded(some_config(), fake());
  EXPECT_EQ(eager.train(), 0);
  EXPECT_EQ(recorded.train(), 9);  // of twelve whole ones
  EXPECT_EQ(recorded.optimizer.steps(), 14);
  expect_same_bits(recorded, eager);
  EXPECT_EQ(recorded.step.sums().result().samples, 2 * (6 * kBatch + kBatch - 1));
}

TEST(TrainStep, ForgottenGraphsAreRecordedAnew) {
  Training eager(some_config(), {}), recorded(some_config(), fake());
  eager.network->freeze(1);
  recorded.network->freeze(1);
  eager.train();
  EXPECT_EQ(recorded.train(), 9);
  eager.network->freeze(0);
  recorded.network->freeze(0);
  recorded.step.forget_graph();
  eager.train();
  EXPECT_EQ(recorded.train(), 9);
  expect_same_bits(recorded, eager);
}

TEST(TrainStep, GoesOnWithoutAGraphThatCannotBeRecorded) {
  struct Broken final : StepGraph {
    void capture(const std::function<void()>&) override { TORCH_CHECK(false, "not this one"); }
    void replay() override { FAIL(); }
  };
  int made = 0;
  Training eager(some_config(), {}), broken(some_config(), [&] {
    ++made;
    return std::make_unique<Broken>();
  });
  eager.train();
  EXPECT_EQ(broken.train(), 0);
  EXPECT_EQ(made, 1);
  EXPECT_NE(broken.step.recording_failure().find("not this one"), std::string::npos);
  expect_same_bits(broken, eager);
}

TEST(TrainStep, NotesTheFirstBatchWhoseLossIsNotFinite) {
  for (const bool record : {false, true}) {
    Training training(some_config(), record ? fake() : MakeStepGraph());
    for (std::int64_t pass = 0; pass < 6; ++pass) {
      training.step.run(batch_of(pass, kBatch), pass, 0.01);
    }
    EXPECT_FALSE(training.step.first_bad_batch());
    {
      const torch::NoGradGuard no_grad;
      training.network->parameters().back().fill_(std::numeric_limits<float>::quiet_NaN());
    }
    const auto before = training.optimizer.state();
    for (const std::int64_t number : {9, 6, 7}) {
      training.step.run(batch_of(number, kBatch), number, 0.01);
    }
    EXPECT_EQ(training.step.first_bad_batch(), 6);
    EXPECT_TRUE(std::isfinite(training.step.sums().result().loss));
    training.step.reset();
    EXPECT_FALSE(training.step.first_bad_batch());
    EXPECT_EQ(training.step.sums().result().samples, 0);
  }
}

TEST(TrainStep, AccumulatesAsOneLargeBatch) {
  auto config = some_config();
  config.model.dropout = 0.0;
  config.model.stochastic_depth = 0.0;
  config.train.accumulate = 2;
  Training training(config, fake());
  training.step.accumulate(batch_of(0, kBatch), 0, 0.5);
  training.step.accumulate(batch_of(1, 2), 1, 0.25);
  EXPECT_EQ(training.optimizer.steps(), 0);
  training.step.update(0.01, 8.0 / 6.0);
  EXPECT_EQ(training.optimizer.steps(), 1);
  EXPECT_FALSE(training.step.replayed());
  EXPECT_EQ(training.step.sums().result().samples, 6);
}

TEST(TrainStep, OnACardAReplayIsTheSameStep) {
  if (!cuda_kernels_built() || !torch::cuda::is_available()) {
    GTEST_SKIP() << "needs a card and a build with CUDA";
  }
  at::globalContext().setDeterministicCuDNN(true);
  const cuda::CapturableStream stream(at::Device(at::kCUDA, 0));
  Training eager(some_config(), {}, at::kCUDA), recorded(some_config(), cuda::step_graph, at::kCUDA);
  eager.train();
  EXPECT_EQ(recorded.train(), 9) << recorded.step.recording_failure();
  expect_same_bits(recorded, eager);
}

}  // namespace
}  // namespace effnetv2
