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

/// A batch on its device as it was sent.
struct Pixels {
  at::Tensor pixels;  ///< uint8 [N, H, W, 3]
  at::Tensor labels;  ///< int64 [N]
};

/// Sends batches to a device as uint8 (pinned and asynchronous on CUDA) and normalises there: (x / 255 - mean) / std.
class InputStage {
 public:
  InputStage(const DataConfig& config, at::Device device);
  Input operator()(const Batch& batch) const;

  // The same in two parts, for steps that are recorded: what is sent, and what is done on the device.

  /// On the CPU the pixels are the batch's own, which must live as long.
  Pixels upload(const Batch& batch) const;
  /// Room for batches of its size.
  Pixels places_for(const Batch& batch) const;
  /// Into that room.
  void upload(const Batch& batch, const Pixels& places) const;
  /// float32 [N, 3, H, W], channels_last.
  at::Tensor normalise(const at::Tensor& pixels) const;

 private:
  at::Device device_;
  at::Tensor mean_, std_;  // [1, 3, 1, 1] on the device
};

}  // namespace effnetv2
