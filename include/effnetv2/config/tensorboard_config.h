#pragma once

#include <cstdint>
#include <optional>

namespace effnetv2 {

/// The "tensorboard" object of the config: what goes into the run's event file.
struct TensorboardConfig {
  bool enabled = true;
  std::int64_t training_images = 8;                     ///< augmented, at the start
  std::optional<std::int64_t> histograms_every_epochs;  ///< of all weights; null: never
};

}  // namespace effnetv2
