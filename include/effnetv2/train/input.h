#pragma once

#include <array>
#include <cstdint>
#include <map>

#include <ATen/core/Tensor.h>

#include "effnetv2/config/data_config.h"
#include "effnetv2/data/loader.h"

namespace effnetv2 {

/// A batch as the network takes it.
struct Input {
  at::Tensor images;  ///< float32 [N, 3, H, W], channels_last, normalised
  at::Tensor labels;  ///< int64 [N]
};

/// A batch on its device as it was sent. Its pictures are `pixels`, or those of `block` at `indices`.
struct Pixels {
  at::Tensor pixels;    ///< uint8 [N, H, W, 3]
  at::Tensor labels;    ///< int64 [N]
  at::Tensor block;     ///< uint8 [M, H, W, 3], or undefined
  at::Tensor indices;   ///< int64 [N]
  at::Tensor mirrored;  ///< bool [N]
};

/// Sends batches to a device as uint8 (pinned and asynchronous on CUDA) and normalises there: (x / 255 - mean) / std.
/// Of a batch that names pictures of a data set's block, the block is sent once and stays there.
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
  at::Tensor normalise(const Pixels& sent) const;

 private:
  at::Tensor block_of(const Batch& batch) const;

  at::Device device_;
  mutable std::map<const Dataset*, at::Tensor> blocks_;  ///< on the device
  at::Tensor mean_, std_;                                // [1, 3, 1, 1] on the device
};

}  // namespace effnetv2
