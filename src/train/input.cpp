#include "effnetv2/train/input.h"

#include <ATen/ATen.h>

namespace effnetv2 {
namespace {

at::Tensor per_channel(const std::array<double, 3>& values, at::Device device) {
  return at::tensor({values[0], values[1], values[2]}, at::kFloat).view({1, 3, 1, 1}).to(device);
}

/// The batch's own memory, read alone.
Pixels of(const Batch& batch) {
  Pixels own;
  own.labels = at::from_blob(const_cast<std::int64_t*>(batch.labels.data()), {batch.size}, at::kLong);
  if (batch.held != nullptr) {
    own.indices = at::from_blob(const_cast<std::int64_t*>(batch.indices.data()), {batch.size}, at::kLong);
    own.mirrored = at::from_blob(const_cast<std::uint8_t*>(batch.mirrored.data()), {batch.size}, at::kBool);
  } else {
    own.pixels = at::from_blob(const_cast<std::uint8_t*>(batch.pixels.data()),
                               {batch.size, batch.image_size, batch.image_size, 3}, at::kByte);
  }
  return own;
}

}  // namespace

InputStage::InputStage(const DataConfig& config, at::Device device)
    : device_(device), mean_(per_channel(config.mean, device)), std_(per_channel(config.std, device)) {}

Input InputStage::operator()(const Batch& batch) const {
  const Pixels sent = upload(batch);
  return {normalise(sent), sent.labels};
}

at::Tensor InputStage::block_of(const Batch& batch) const {
  if (batch.held == nullptr) {
    return {};
  }
  at::Tensor& block = blocks_[batch.held];
  if (!block.defined()) {
    const auto pixels = batch.held->block();
    block = at::from_blob(const_cast<std::uint8_t*>(pixels.data()),
                          {batch.held->size(), batch.image_size, batch.image_size, 3}, at::kByte)
                .to(device_);
  }
  return block;
}

Pixels InputStage::upload(const Batch& batch) const {
  if (!device_.is_cpu() || batch.held != nullptr) {
    const Pixels places = places_for(batch);
    upload(batch, places);
    return places;
  }
  Pixels own = of(batch);
  own.labels = own.labels.clone();
  return own;
}

Pixels InputStage::places_for(const Batch& batch) const {
  const Pixels own = of(batch);
  const auto place = [&](const at::Tensor& x) {
    return x.defined() ? at::empty_like(x, at::TensorOptions().device(device_)) : x;
  };
  return {place(own.pixels), place(own.labels), block_of(batch), place(own.indices), place(own.mirrored)};
}

void InputStage::upload(const Batch& batch, const Pixels& places) const {
  const Pixels own = of(batch);
  const auto send = [&](const at::Tensor& from, const at::Tensor& to) {
    if (from.defined()) {
      to.copy_(device_.is_cpu() ? from : from.pin_memory(), /*non_blocking=*/true);
    }
  };
  send(own.pixels, places.pixels);
  send(own.labels, places.labels);
  send(own.indices, places.indices);
  send(own.mirrored, places.mirrored);
}

at::Tensor InputStage::normalise(const Pixels& sent) const {
  at::Tensor pixels = sent.pixels;
  if (sent.block.defined()) {
    pixels = sent.block.index_select(0, sent.indices);
    pixels = at::where(sent.mirrored.view({-1, 1, 1, 1}), pixels.flip(2), pixels);
  }
  // [N, H, W, 3] seen as [N, 3, H, W] is channels_last already
  const at::Tensor images = pixels.permute({0, 3, 1, 2}).to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  return images.div_(255.0).sub_(mean_).div_(std_);
}

}  // namespace effnetv2
