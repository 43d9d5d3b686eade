#pragma once

#include "effnetv2/config/data_description.h"
#include "effnetv2/config/experiment_config.h"
#include "effnetv2/config/field.h"
#include "effnetv2/config/model_description.h"
#include "effnetv2/config/tensorboard_description.h"
#include "effnetv2/config/text_rules.h"
#include "effnetv2/config/train_description.h"

namespace effnetv2 {

template <typename Visitor>
void describe(Visitor& visit, ExperimentConfig& c) {
  visit(Field{.key = "description", .doc = "For readers; ignored.", .semantic = Semantic::no}, c.description);
  visit(Field{.key = "name",
              .doc = "Name of the experiment: runs go to runs/<name>-<n>.",
              .semantic = Semantic::no,
              .text = &kNameRule},
        c.name);
  visit(Field{.key = "seed", .doc = "Seed of weights, shuffling, augmentation and dropout.", .range = at_least(0)},
        c.seed);
  visit(Field{.key = "device",
              .doc = "Where to compute. auto: CUDA if there is a card, else the CPU.",
              .semantic = Semantic::without_index,
              .text = &kDeviceRule},
        c.device);
  visit(Field{.key = "precision",
              .doc = "Arithmetic of training. auto: bf16 on CUDA, fp32 on the CPU and for eval and predict."},
        c.precision);
  visit(Field{.key = "threads",
              .doc = "Threads inside one tensor operation; exact resume needs the same number. auto: the "
                     "physical cores that the process may use.",
              .unit = "threads",
              .range = within(1, 1024),
              .absent_is_auto = true},
        c.threads);
  visit(Field{.key = "deterministic", .doc = "On CUDA use only deterministic algorithms; the CPU always does."},
        c.deterministic);
  visit(
      Field{.key = "cuda_graph",
            .doc =
                "On CUDA record the training step and replay it as one CUDA graph: the same numbers, faster for small "
                "pictures.",
            .semantic = Semantic::no},
      c.cuda_graph);
  visit(Field{.key = "model", .doc = "The network."}, c.model);
  visit(Field{.key = "data", .doc = "The pictures."}, c.data);
  visit(Field{.key = "train", .doc = "The training."}, c.train);
  visit(Field{.key = "checkpoint", .doc = "When the state is saved."}, c.checkpoint);
  visit(Field{.key = "tensorboard", .doc = "What TensorBoard can show of the run."}, c.tensorboard);
}

}  // namespace effnetv2
