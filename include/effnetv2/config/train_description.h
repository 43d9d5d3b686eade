#pragma once

#include "effnetv2/config/field.h"
#include "effnetv2/config/names.h"
#include "effnetv2/config/text_rules.h"
#include "effnetv2/config/train_config.h"

namespace effnetv2 {

template <typename Visitor>
void describe(Visitor& visit, OptimizerConfig& c) {
  visit(Field{.key = "type", .doc = "Update rule, with PyTorch's formulas."}, c.type);
  visit(Field{.key = "lr", .doc = "Learning rate, the highest of the schedule.", .range = at_least(0)}, c.lr);
  visit(Field{.key = "weight_decay",
              .doc = "Weight decay: L2 added to the gradient; adamw: decoupled from it.",
              .range = at_least(0)},
        c.weight_decay);
  visit(Field{.key = "decay_norm_and_bias", .doc = "Decay BatchNorm's parameters and biases too, as PyTorch does."},
        c.decay_norm_and_bias);
  visit(Field{.key = "betas",
              .doc = "Decay rates of the averages of the gradient and of its square.",
              .range = half_open(0, 1),
              .used_by = "adam, adamw"},
        c.betas);
  visit(Field{.key = "eps", .doc = "Added to the denominator.", .range = above(0), .used_by = "adam, adamw, rmsprop"},
        c.eps);
  visit(Field{.key = "momentum", .doc = "Momentum.", .range = half_open(0, 1), .used_by = "sgd, rmsprop"}, c.momentum);
  visit(Field{.key = "nesterov", .doc = "Nesterov's momentum; needs momentum above 0.", .used_by = "sgd"}, c.nesterov);
  visit(Field{.key = "alpha",
              .doc = "Decay rate of the average of the squared gradient.",
              .range = half_open(0, 1),
              .used_by = "rmsprop"},
        c.alpha);
}

template <typename Visitor>
void describe(Visitor& visit, SchedulerConfig& c) {
  visit(Field{.key = "type",
              .doc = "plateau: times factor when train.monitor stalls. step: times gamma every step_epochs. cosine: to "
                     "final_lr over the run. onecycle: up to lr, then down to almost nothing."},
        c.type);
  visit(Field{.key = "warmup_epochs",
              .doc = "Linear rise from 0 at the start, with any type; may be a fraction; at most train.epochs.",
              .unit = "epochs",
              .range = at_least(0)},
        c.warmup_epochs);
  visit(Field{.key = "factor", .doc = "What the rate is multiplied by.", .range = between(0, 1), .used_by = "plateau"},
        c.factor);
  visit(Field{.key = "patience",
              .doc = "Epochs without improvement before the rate falls.",
              .unit = "epochs",
              .range = within(0, 1000000),
              .used_by = "plateau"},
        c.patience);
  visit(Field{.key = "threshold",
              .doc = "Smallest change that is an improvement.",
              .range = at_least(0),
              .used_by = "plateau"},
        c.threshold);
  visit(Field{.key = "threshold_mode",
              .doc = "rel: threshold is a share of the best value. abs: a difference.",
              .used_by = "plateau"},
        c.threshold_mode);
  visit(Field{.key = "cooldown",
              .doc = "Epochs after a fall in which nothing is counted.",
              .unit = "epochs",
              .range = within(0, 1000000),
              .used_by = "plateau"},
        c.cooldown);
  visit(Field{.key = "min_lr",
              .doc = "The rate never falls below; at most lr.",
              .range = at_least(0),
              .used_by = "plateau"},
        c.min_lr);
  visit(
      Field{
          .key = "eps", .doc = "Smaller changes of the rate are not made.", .range = at_least(0), .used_by = "plateau"},
      c.eps);
  visit(Field{.key = "step_epochs",
              .doc = "Epochs between two falls.",
              .unit = "epochs",
              .range = within(1, 1000000),
              .used_by = "step"},
        c.step_epochs);
  visit(Field{.key = "gamma", .doc = "What the rate is multiplied by.", .range = above(0), .used_by = "step"}, c.gamma);
  visit(Field{.key = "final_lr", .doc = "The rate at the end; at most lr.", .range = at_least(0), .used_by = "cosine"},
        c.final_lr);
  visit(Field{.key = "pct_start",
              .doc = "Share of the run in which the rate rises.",
              .range = between(0, 1),
              .used_by = "onecycle"},
        c.pct_start);
  visit(Field{.key = "div_factor",
              .doc = "The run begins at lr / div_factor.",
              .range = at_least(1),
              .used_by = "onecycle"},
        c.div_factor);
  visit(Field{.key = "final_div_factor",
              .doc = "The run ends at lr / div_factor / final_div_factor.",
              .range = above(0),
              .used_by = "onecycle"},
        c.final_div_factor);
}

template <typename Visitor>
void describe(Visitor& visit, LossConfig& c) {
  visit(Field{.key = "label_smoothing",
              .doc = "Share of the target that is spread evenly over all classes.",
              .range = half_open(0, 1)},
        c.label_smoothing);
}

template <typename Visitor>
void describe(Visitor& visit, EmaConfig& c) {
  visit(
      Field{.key = "decay",
            .doc =
                "Keep a moving average of the weights, evaluate and save that: the share of the old value. null: none.",
            .range = between(0, 1)},
      c.decay);
  visit(Field{.key = "warmup", .doc = "At update t use min(decay, (1 + t) / (10 + t))."}, c.warmup);
}

template <typename Visitor>
void describe(Visitor& visit, EarlyStoppingConfig& c) {
  visit(Field{.key = "patience",
              .doc = "Stop after this many epochs without improvement of train.monitor. null: never.",
              .unit = "epochs",
              .range = within(1, 1000000)},
        c.patience);
  visit(Field{.key = "min_epochs",
              .doc = "Count only epochs after this one: the earliest stop is after min_epochs + patience.",
              .unit = "epochs",
              .range = within(0, 1000000)},
        c.min_epochs);
}

template <typename Visitor>
void describe(Visitor& visit, TrainConfig& c) {
  visit(Field{.key = "epochs",
              .doc = "Passes over the training pictures. May grow when a run is resumed.",
              .unit = "epochs",
              .range = within(1, 1000000),
              .semantic = Semantic::no},
        c.epochs);
  visit(Field{.key = "batch_size",
              .doc = "Pictures per forward and backward pass.",
              .unit = "pictures",
              .range = within(1, 1000000)},
        c.batch_size);
  visit(
      Field{.key = "accumulate", .doc = "Batches per optimizer step.", .unit = "batches", .range = within(1, 1000000)},
      c.accumulate);
  visit(Field{.key = "drop_last", .doc = "Leave out each epoch's last batch if it is not full."}, c.drop_last);
  visit(Field{.key = "optimizer", .doc = "How gradients change the weights. Keys of another type are ignored."},
        c.optimizer);
  visit(Field{.key = "scheduler", .doc = "How the learning rate changes. Keys of another type are ignored."},
        c.scheduler);
  visit(Field{.key = "loss", .doc = "Cross-entropy."}, c.loss);
  visit(Field{.key = "grad_clip_norm",
              .doc = "Scale the gradients down to this L2 norm over all weights when it is larger. null: never.",
              .range = above(0)},
        c.grad_clip_norm);
  visit(Field{.key = "ema", .doc = "Moving average of the weights."}, c.ema);
  visit(Field{.key = "freeze",
              .doc = "Parts that do not learn and keep their BatchNorm statistics. backbone: all but the classifier. "
                     "stages:N: the stem and the first N stages.",
              .text = &kFreezeRule},
        c.freeze);
  visit(Field{.key = "unfreeze_at_epoch",
              .doc = "Epoch, counted from 1, at which frozen parts begin to learn. null: never.",
              .unit = "epochs",
              .range = within(1, 1000000)},
        c.unfreeze_at_epoch);
  visit(Field{.key = "backbone_lr_scale",
              .doc = "Factor on the learning rate of everything but the classifier.",
              .range = at_least(0)},
        c.backbone_lr_scale);
  visit(Field{.key = "monitor",
              .doc = "Column of metrics.jsonl that chooses the best epoch, and that plateau and early stopping follow. "
                     "Accuracies are maximised, losses minimised.",
              .choices = kMonitorColumns},
        c.monitor);
  visit(Field{.key = "early_stopping", .doc = "When to stop before train.epochs."}, c.early_stopping);
  visit(Field{.key = "eval_train",
              .doc = "Also measure the training pictures in evaluation mode each epoch: columns train_eval_loss and "
                     "train_eval_top1."},
        c.eval_train);
}

template <typename Visitor>
void describe(Visitor& visit, CheckpointConfig& c) {
  visit(Field{.key = "every_epochs",
              .doc = "Save the state every so many epochs.",
              .unit = "epochs",
              .range = within(1, 1000000),
              .semantic = Semantic::no},
        c.every_epochs);
  visit(Field{.key = "every_minutes",
              .doc = "And inside a long epoch, every so many minutes.",
              .unit = "minutes",
              .range = above(0),
              .semantic = Semantic::no},
        c.every_minutes);
  visit(Field{.key = "every_steps",
              .doc = "And every so many optimizer steps. null: no.",
              .unit = "steps",
              .range = within(1, 1000000000),
              .semantic = Semantic::no},
        c.every_steps);
  visit(Field{.key = "keep_state_when_done",
              .doc = "Keep the state of a finished run, so that it can go on with more epochs.",
              .semantic = Semantic::no},
        c.keep_state_when_done);
}

}  // namespace effnetv2
