#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace effnetv2 {

enum class OptimizerType { adam, adamw, sgd, rmsprop };
enum class SchedulerType { none, plateau, step, cosine, onecycle };
enum class ThresholdMode { rel, abs };

struct OptimizerConfig {
  OptimizerType type = OptimizerType::adam;
  double lr = 1e-4;           ///< finite, >= 0
  double weight_decay = 0.0;  ///< finite, >= 0
  bool decay_norm_and_bias = true;
  std::array<double, 2> betas{0.9, 0.999};  ///< each [0, 1); adam, adamw
  double eps = 1e-8;                        ///< > 0; adam, adamw, rmsprop
  double momentum = 0.9;                    ///< [0, 1); sgd, rmsprop
  bool nesterov = false;                    ///< sgd, needs momentum > 0
  double alpha = 0.99;                      ///< [0, 1); rmsprop
};

/// One table for all schedules; keys of another type are legal and ignored.
struct SchedulerConfig {
  SchedulerType type = SchedulerType::none;
  double warmup_epochs = 0.0;  ///< linear from 0, may be fractional; any type
  double factor = 0.1;         ///< plateau, (0, 1)
  std::int64_t patience = 10;  ///< plateau, epochs
  double threshold = 1e-4;     ///< plateau
  ThresholdMode threshold_mode = ThresholdMode::rel;
  std::int64_t cooldown = 0;      ///< plateau, epochs
  double min_lr = 0.0;            ///< plateau
  double eps = 1e-8;              ///< plateau: smaller changes are not made
  std::int64_t step_epochs = 30;  ///< step
  double gamma = 0.1;             ///< step
  double final_lr = 0.0;          ///< cosine
  double pct_start = 0.3;         ///< onecycle, (0, 1)
  double div_factor = 25.0;       ///< onecycle
  double final_div_factor = 1e4;  ///< onecycle
};

struct LossConfig {
  double label_smoothing = 0.0;  ///< [0, 1)
};

struct EmaConfig {
  std::optional<double> decay;  ///< (0, 1); null: no EMA
  bool warmup = true;           ///< decay at update t: min(decay, (1 + t) / (10 + t))
};

struct EarlyStoppingConfig {
  std::optional<std::int64_t> patience;  ///< epochs without improvement; null: never
  std::int64_t min_epochs = 0;           ///< counted from here on
};

/// The "train" object of the config.
struct TrainConfig {
  std::int64_t epochs = 350;
  std::int64_t batch_size = 128;
  std::int64_t accumulate = 1;  ///< batches per optimizer step
  bool drop_last = false;
  OptimizerConfig optimizer;
  SchedulerConfig scheduler;
  LossConfig loss;
  std::optional<double> grad_clip_norm;
  EmaConfig ema;
  std::string freeze = "none";  ///< none | backbone | stages:N
  std::optional<std::int64_t> unfreeze_at_epoch;
  double backbone_lr_scale = 1.0;
  std::string monitor = "val_top1";  ///< column of metrics.jsonl
  EarlyStoppingConfig early_stopping;
  bool eval_train = false;
};

struct CheckpointConfig {
  std::int64_t every_epochs = 1;
  double every_minutes = 10.0;  ///< > 0
  std::optional<std::int64_t> every_steps;
  bool keep_state_when_done = true;
};

}  // namespace effnetv2
