#include "rules.h"

#include <algorithm>
#include <initializer_list>
#include <string>

#include "effnetv2/config/names.h"
#include "effnetv2/core/text.h"

namespace effnetv2 {
namespace {

/// Collects what is broken.
class Rules {
 public:
  explicit Rules(const std::vector<Issue>& before) : before_(before) {}

  /// `path` is named in the message; the rule is judged only if it and `others` could be read.
  void require(bool holds, const std::string& path, const std::string& message,
               std::initializer_list<const char*> others = {}) {
    const bool readable =
        !is_broken(before_, path) &&
        std::none_of(others.begin(), others.end(), [&](const char* other) { return is_broken(before_, other); });
    if (!holds && readable) {
      issues_.push_back({path, message});
    }
  }

  std::vector<Issue> take() { return std::move(issues_); }

 private:
  const std::vector<Issue>& before_;
  std::vector<Issue> issues_;
};

void check_data(const DataConfig& data, Rules& rules) {
  rules.require(data.split.val + data.split.test < 1.0, "data.split.val",
                "val + test must be below 1, so that pictures are left to train on, got " + shortest(data.split.val) +
                    " + " + shortest(data.split.test),
                {"data.split.test"});
  rules.require(
      data.split.choose_on == ChooseOn::val || data.split.val == 0.0, "data.split.choose_on",
      "\"test\" leaves validation pictures without a use; set data.split.val to 0, got " + shortest(data.split.val),
      {"data.split.val"});
  if (data.resize == ResizeMode::center_crop && data.resize_size) {
    rules.require(*data.resize_size >= data.image_size, "data.resize_size",
                  "must be at least data.image_size, or the crop is larger than the picture, got " +
                      std::to_string(*data.resize_size) + " below " + std::to_string(data.image_size),
                  {"data.resize", "data.image_size"});
  }
  if (const auto& crop = data.augment.random_resized_crop) {
    const auto ordered = [&](const std::array<double, 2>& range, const std::string& key) {
      rules.require(
          range[0] <= range[1], "data.augment.random_resized_crop." + key,
          "the first number must not be above the second, got " + shortest(range[0]) + " and " + shortest(range[1]));
    };
    ordered(crop->scale, "scale");
    ordered(crop->ratio, "ratio");
  }
}

void check_train(const TrainConfig& train, Rules& rules) {
  const OptimizerConfig& optimizer = train.optimizer;
  if (optimizer.type == OptimizerType::sgd && optimizer.nesterov) {
    rules.require(optimizer.momentum > 0.0, "train.optimizer.nesterov",
                  "needs train.optimizer.momentum above 0, which is 0",
                  {"train.optimizer.type", "train.optimizer.momentum"});
  }
  const SchedulerConfig& scheduler = train.scheduler;
  const auto at_most_lr = [&](double rate, const std::string& path) {
    rules.require(rate <= optimizer.lr, path,
                  "must be at most train.optimizer.lr, which is " + shortest(optimizer.lr) + ", got " + shortest(rate),
                  {"train.scheduler.type", "train.optimizer.lr"});
  };
  if (scheduler.type == SchedulerType::plateau) {
    at_most_lr(scheduler.min_lr, "train.scheduler.min_lr");
  }
  if (scheduler.type == SchedulerType::cosine) {
    at_most_lr(scheduler.final_lr, "train.scheduler.final_lr");
  }
  rules.require(scheduler.warmup_epochs <= static_cast<double>(train.epochs), "train.scheduler.warmup_epochs",
                "must be at most train.epochs, which is " + std::to_string(train.epochs) +
                    ", or the rate never gets to train.optimizer.lr, got " + shortest(scheduler.warmup_epochs),
                {"train.epochs"});
  rules.require(train.eval_train || !train.monitor.starts_with("train_eval_"), "train.monitor",
                "\"" + train.monitor + "\" needs train.eval_train to be true", {"train.eval_train"});
}

}  // namespace

std::vector<Issue> broken_rules(const ExperimentConfig& config, const std::vector<Issue>& issues) {
  Rules rules(issues);
  rules.require(config.precision != Precision::tf32 || config.device != "cpu", "precision",
                "\"tf32\" is an arithmetic of CUDA cards; the device is \"cpu\"", {"device"});
  rules.require(
      config.data.split.choose_on == ChooseOn::val || config.train.monitor.starts_with("val_"), "data.split.choose_on",
      "\"test\" needs a train.monitor that is measured on those pictures, val_top1, val_top5 or val_loss, got \"" +
          config.train.monitor + "\"",
      {"train.monitor"});
  check_data(config.data, rules);
  check_train(config.train, rules);
  return rules.take();
}

}  // namespace effnetv2
