#pragma once

#include <array>
#include <cstdint>

#include <ATen/core/Tensor.h>

#include "effnetv2/config/data_config.h"
#include "effnetv2/data/loader.h"

namespace effnetv2 {

/// A batch as the network takes it.
struct Input {
  at::Tensor images;  ///< float32 [N, 3, H, W], channels_last, normalised
  at::Tensor labels;  ///< int64 [N]
};

/// Sends batches to a device as uint8 (pinned and asynchronous on CUDA) and normalises there: (x / 255 - mean) / std.
class InputStage {
 public:
  InputStage(const DataConfig& config, at::Device device);
  Input operator()(const Batch& batch) const;

 private:
  at::Device device_;
  at::Tensor mean_, std_;  // [1, 3, 1, 1] on the device
};

}  // namespace effnetv2
