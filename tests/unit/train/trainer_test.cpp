#include "effnetv2/train/trainer.h"

#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "effnetv2/core/error.h"
#include "effnetv2/core/stop.h"
#include "effnetv2/data/loader.h"
#include "effnetv2/model/efficientnet.h"
#include "effnetv2/run/metrics_log.h"
#include "effnetv2/run/network.h"
#include "effnetv2/train/checkpoint.h"
#include "effnetv2/weights/state_dict.h"

#include "support/fake_dataset.h"

namespace effnetv2 {
namespace {

constexpr std::int64_t kTrainerClasses = 3;

ExperimentConfig tiny_config() {
  ExperimentConfig config;
  config.device = "cpu";
  config.precision = Precision::fp32;
  config.threads = 1;
  config.model.stages = std::vector<StageConfig>{{BlockKind::fused_mbconv, 1, 3, 1, 8, 1},
                                                 {BlockKind::fused_mbconv, 2, 3, 2, 8, 2},
                                                 {BlockKind::mbconv, 2, 3, 1, 16, 2}};
  config.model.stem_channels = 8;
  config.model.head_channels = 16;
  config.model.init = Init::per_group;
  config.model.num_classes = kTrainerClasses;
  config.model = with_defaults(config.model);
  config.data.image_size = 16;
  config.train.epochs = 3;
  config.train.batch_size = 8;
  config.train.optimizer.lr = 5e-3;
  return config;
}

/// A trainer with its network and loaders over fake pictures.
struct Rig {
  ExperimentConfig config;
  std::shared_ptr<const Dataset> images;
  Loader train, val;
  std::shared_ptr<EfficientNetImpl> network;
  std::vector<std::string> rows;
  std::int64_t steps_until_stop = std::numeric_limits<std::int64_t>::max();
  Trainer trainer;

  explicit Rig(const ExperimentConfig& c)
      : config(c),
        images(std::make_shared<test::FakeDataset>(29, kTrainerClasses, c.data.image_size, true)),
        train(images, {c.train.batch_size, true, c.train.drop_last, 0, c.seed}),
        val(std::make_shared<test::FakeDataset>(11, kTrainerClasses, c.data.image_size, false),
            {8, false, false, 0, c.seed}),
        network(build_network(c)),
        trainer(config, network, {train, &val, nullptr}, hooks()) {}

  TrainerHooks hooks() {
    TrainerHooks hooks;
    hooks.on_step = [this](const StepInfo&) {
      if (--steps_until_stop == 0) {
        request_stop();
      }
    };
    hooks.on_epoch = [this](const EpochRow& row, bool) {
      auto json = to_json(row, false);
      json.erase("epoch_seconds");
      json.erase("images_per_second");
      rows.push_back(json.dump());
    };
    return hooks;
  }
};

/// As a file would give it: no tensor shared with the trainer.
TrainState detached(const TrainState& state) {
  TrainState copy;
  copy.values = nlohmann::json::parse(state.values.dump());
  for (const auto& [name, tensor] : state.tensors) {
    copy.tensors.emplace_back(name, tensor.detach().clone(at::MemoryFormat::Contiguous));
  }
  return copy;
}

void expect_equal_weights(const EfficientNetImpl& a, const EfficientNetImpl& b) {
  const auto left = state_dict(a), right = state_dict(b);
  ASSERT_EQ(left.size(), right.size());
  for (std::size_t i = 0; i < left.size(); ++i) {
    EXPECT_TRUE(at::equal(left[i].second, right[i].second)) << left[i].first;
  }
}

class TrainerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    clear_stop_request();
    at::set_num_threads(1);
  }
  void TearDown() override { clear_stop_request(); }
};

/// Interrupts after every single step, each time going on in a fresh trainer, and compares with the run in one piece.
void expect_resume_is_exact(const ExperimentConfig& config) {
  Rig whole(config);
  ASSERT_NE(whole.trainer.fit(), StopReason::interrupted);

  std::vector<std::string> rows;
  std::optional<TrainState> state;
  std::shared_ptr<EfficientNetImpl> network;
  for (int piece = 0; piece < 1000; ++piece) {
    clear_stop_request();
    Rig rig(config);
    if (state) {
      rig.trainer.restore(*state);
    }
    rig.steps_until_stop = 1;
    const StopReason reason = rig.trainer.fit();
    rows.insert(rows.end(), rig.rows.begin(), rig.rows.end());
    network = rig.network;
    if (reason != StopReason::interrupted) {
      break;
    }
    state = detached(rig.trainer.state());
  }
  clear_stop_request();
  EXPECT_EQ(rows, whole.rows);
  expect_equal_weights(*network, *whole.network);
}

TEST_F(TrainerTest, ResumeIsExact) {
  expect_resume_is_exact(tiny_config());
}

TEST_F(TrainerTest, ResumeIsExactWithEverythingOn) {
  auto config = tiny_config();
  config.train.optimizer.type = OptimizerType::adamw;
  config.train.optimizer.weight_decay = 0.05;
  config.train.optimizer.decay_norm_and_bias = false;
  config.train.scheduler.type = SchedulerType::plateau;
  config.train.scheduler.patience = 0;
  config.train.scheduler.warmup_epochs = 1.5;
  config.train.ema.decay = 0.9;
  config.train.accumulate = 2;
  config.train.grad_clip_norm = 0.5;
  config.train.loss.label_smoothing = 0.1;
  config.train.early_stopping.patience = 1;
  config.train.epochs = 5;
  config.model.stochastic_depth = 0.4;
  config.model.dropout = 0.3;
  expect_resume_is_exact(config);
}

TEST_F(TrainerTest, ResumeIsExactInBf16) {
  auto config = tiny_config();
  config.precision = Precision::bf16;
  config.train.epochs = 2;
  expect_resume_is_exact(config);
}

TEST_F(TrainerTest, ResumeIsExactForEveryOptimizerAndSchedule) {
  for (const auto type : {OptimizerType::sgd, OptimizerType::rmsprop}) {
    for (const auto scheduler : {SchedulerType::cosine, SchedulerType::onecycle, SchedulerType::step}) {
      auto config = tiny_config();
      config.train.epochs = 2;
      config.train.optimizer.type = type;
      config.train.scheduler.type = scheduler;
      config.train.scheduler.step_epochs = 1;
      expect_resume_is_exact(config);
    }
  }
}

TEST_F(TrainerTest, LearnsWhatIsEasy) {
  auto config = tiny_config();
  config.train.epochs = 12;
  Rig rig(config);
  EXPECT_EQ(rig.trainer.fit(), StopReason::epochs);
  EXPECT_EQ(rig.trainer.epochs_done(), 12);
  EXPECT_EQ(rig.trainer.steps_done(), 12 * 4);
  EXPECT_GE(nlohmann::json::parse(rig.rows.at(rig.trainer.best_epoch() - 1))["val_top1"].get<double>(), 0.9);
}

TEST_F(TrainerTest, AValidationLossThatIsNotFiniteIsAnError) {
  Rig rig(tiny_config());
  for (const auto& buffer : rig.network->named_buffers()) {
    if (buffer.key().ends_with("running_var")) {
      buffer.value().fill_(-1e6);  // training does not look at it, evaluation takes its root
    }
  }
  try {
    rig.trainer.fit();
    FAIL() << "must throw";
  } catch (const NumericError& e) {
    EXPECT_NE(std::string(e.what()).find("validation images is nan after step 4 (epoch 1), learning rate 0.005"),
              std::string::npos)
        << e.what();
  }
}

TEST_F(TrainerTest, AnotherSeedIsAnotherRun) {
  auto config = tiny_config();
  config.train.epochs = 1;
  Rig first(config);
  config.seed = 43;
  Rig second(config);
  first.trainer.fit();
  second.trainer.fit();
  EXPECT_NE(first.rows, second.rows);
}

TEST_F(TrainerTest, DivergenceStopsWithStepAndRate) {
  auto config = tiny_config();
  config.train.optimizer.lr = 1e30;
  Rig rig(config);
  try {
    rig.trainer.fit();
    FAIL() << "must throw";
  } catch (const NumericError& e) {
    const std::string message = e.what();
    EXPECT_NE(message.find("at step"), std::string::npos) << message;
    EXPECT_NE(message.find("1e+30"), std::string::npos) << message;
  }
}

TEST_F(TrainerTest, EarlyStoppingWaitsForMinEpochsAndPatience) {
  auto config = tiny_config();
  config.train.epochs = 20;
  config.train.optimizer.lr = 0.0;  // nothing ever improves after the first epoch's statistics
  config.model.bn_momentum = 0.0;
  config.train.early_stopping.patience = 3;
  config.train.early_stopping.min_epochs = 4;
  Rig rig(config);
  EXPECT_EQ(rig.trainer.fit(), StopReason::early_stopping);
  EXPECT_EQ(rig.trainer.epochs_done(), 7);
  EXPECT_EQ(rig.trainer.best_epoch(), 1);
}

TEST_F(TrainerTest, AccumulationOverUnevenBatchesIsTheGradientOfAllPictures) {
  // BatchNorm sees other batches, so the gradient is compared where it does not matter: the last bias
  auto config = tiny_config();
  config.train.optimizer.type = OptimizerType::sgd;
  config.train.optimizer.momentum = 0.0;
  config.train.optimizer.lr = 1.0;
  config.train.epochs = 1;
  config.model.dropout = 0.0;
  config.model.stochastic_depth = 0.0;
  const auto last_bias_step = [](ExperimentConfig c) {
    Rig rig(c);
    for (auto& item : rig.network->named_parameters()) {
      if (item.key() == "classifier.1.weight") {
        const at::NoGradGuard no_grad;
        item.value().zero_();  // uniform softmax: the bias gradient is mean(1/K - onehot), whatever BatchNorm gives
      }
    }
    rig.trainer.fit();
    return rig.network->named_parameters()["classifier.1.bias"].detach().clone();
  };
  config.train.batch_size = 29;
  const auto in_one = last_bias_step(config);
  config.train.batch_size = 8;  // 8 + 8 + 8 + 5
  config.train.accumulate = 4;
  const auto in_four = last_bias_step(config);
  EXPECT_TRUE(at::allclose(in_one, in_four, 1e-5, 1e-6)) << in_one << in_four;
}

TEST_F(TrainerTest, MonitorNeedsItsMeasurement) {
  auto config = tiny_config();
  Rig rig(config);
  EXPECT_THROW(Trainer(config, rig.network, {rig.train, nullptr, nullptr}, {}), ConfigError);
  config.train.monitor = "train_loss";
  EXPECT_NO_THROW(Trainer(config, rig.network, {rig.train, nullptr, nullptr}, {}));
  config.train.monitor = "train_eval_top1";
  EXPECT_THROW(Trainer(config, rig.network, {rig.train, nullptr, nullptr}, {}), ConfigError);
}

TEST_F(TrainerTest, WeightsThatAreNotFiniteAreNeverSaved) {
  Rig rig(tiny_config());
  EXPECT_NO_THROW(rig.trainer.check_weights_finite());
  {
    const at::NoGradGuard no_grad;
    rig.network->parameters().back().fill_(std::numeric_limits<float>::quiet_NaN());
  }
  EXPECT_THROW(rig.trainer.check_weights_finite(), NumericError);
}

TEST_F(TrainerTest, AMeanOfSquaresThatOverflowedIsAnError) {
  auto config = tiny_config();
  config.train.optimizer.weight_decay = 1e30;
  Rig rig(config);
  rig.trainer.fit();  // every update is divided by infinity, so that losses stay finite
  try {
    rig.trainer.check_weights_finite();
    FAIL() << "must throw";
  } catch (const NumericError& e) {
    EXPECT_NE(std::string(e.what()).find("averages are not finite any more: "), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("exp_avg_sq"), std::string::npos) << e.what();
  }
}

/// Each tensor of the network's features before and after `epochs`; true where it changed.
std::map<std::string, bool> changes(ExperimentConfig config, std::int64_t epochs) {
  config.train.epochs = epochs;
  Rig rig(config);
  std::map<std::string, at::Tensor> before;
  for (const auto& [name, tensor] : state_dict(*rig.network)) {
    before[name] = tensor.clone();
  }
  rig.trainer.fit();
  std::map<std::string, bool> changed;
  for (const auto& [name, tensor] : state_dict(*rig.network)) {
    changed[name] = !tensor.equal(before[name]);
  }
  return changed;
}

TEST_F(TrainerTest, AFrozenBackboneDoesNotChange) {
  ExperimentConfig config = tiny_config();
  config.train.freeze = "backbone";
  config.train.optimizer.weight_decay = 0.1;
  config.train.ema.decay = 0.9;
  for (const auto& [name, changed] : changes(config, 2)) {
    EXPECT_EQ(changed, name.starts_with("classifier.")) << name;
  }
}

TEST_F(TrainerTest, FrozenStagesDoNotChangeUntilTheyAreThawed) {
  ExperimentConfig config = tiny_config();
  config.train.freeze = "stages:1";
  config.train.unfreeze_at_epoch = 3;
  for (const auto& [name, changed] : changes(config, 2)) {
    EXPECT_EQ(changed, !name.starts_with("features.0.") && !name.starts_with("features.1.")) << name;
  }
  for (const auto& [name, changed] : changes(config, 3)) {
    EXPECT_TRUE(changed) << name;
  }
}

TEST_F(TrainerTest, ResumeIsExactAroundThawing) {
  ExperimentConfig config = tiny_config();
  config.train.freeze = "stages:2";
  config.train.unfreeze_at_epoch = 2;
  config.train.backbone_lr_scale = 0.1;
  expect_resume_is_exact(config);
}

TEST_F(TrainerTest, TheBackbonesRateIsScaled) {
  ExperimentConfig config = tiny_config();
  config.train.epochs = 1;
  config.train.batch_size = 29;  // one step
  config.train.optimizer.type = OptimizerType::sgd;
  config.train.optimizer.momentum = 0.0;
  const auto step_of = [&](double scale, const std::string& name) {
    config.train.backbone_lr_scale = scale;
    Rig rig(config);
    const at::Tensor weight = rig.network->named_parameters()[name];
    const at::Tensor before = weight.clone();
    rig.trainer.fit();
    return (weight - before).abs().sum().item<double>();
  };
  const std::string stem = "features.0.0.weight", classifier = "classifier.1.weight";
  EXPECT_NEAR(step_of(0.25, stem) / step_of(1.0, stem), 0.25, 1e-3);
  EXPECT_NEAR(step_of(0.25, classifier) / step_of(1.0, classifier), 1.0, 1e-6);
  EXPECT_EQ(step_of(0.0, stem), 0.0);
}

}  // namespace
}  // namespace effnetv2
