#pragma once

#include "effnetv2/config/field.h"
#include "effnetv2/config/tensorboard_config.h"

namespace effnetv2 {

template <typename Visitor>
void describe(Visitor& visit, TensorboardConfig& c) {
  visit(Field{.key = "enabled",
              .doc = "Write every column of metrics.jsonl, and the config, to an event file in the run directory.",
              .semantic = Semantic::no},
        c.enabled);
  visit(Field{.key = "training_images",
              .doc = "Training pictures, augmented as the first epoch sees them, written when the file is begun.",
              .unit = "pictures",
              .range = within(0, 64),
              .semantic = Semantic::no},
        c.training_images);
  visit(Field{.key = "histograms_every_epochs",
              .doc = "Write a histogram of every weight each so many epochs, about a kilobyte each. null: never.",
              .unit = "epochs",
              .range = within(1, 1000000),
              .semantic = Semantic::no},
        c.histograms_every_epochs);
}

}  // namespace effnetv2
