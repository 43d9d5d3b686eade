#include "effnetv2/train/input.h"

#include <ATen/ATen.h>

namespace effnetv2 {
namespace {

at::Tensor per_channel(const std::array<double, 3>& values, at::Device device) {
  return at::tensor({values[0], values[1], values[2]}, at::kFloat).view({1, 3, 1, 1}).to(device);
}

/// The batch's own memory, read alone.
Pixels of(const Batch& batch) {
  return {at::from_blob(const_cast<std::uint8_t*>(batch.pixels.data()),
                        {batch.size, batch.image_size, batch.image_size, 3}, at::kByte),
          at::from_blob(const_cast<std::int64_t*>(batch.labels.data()), {batch.size}, at::kLong)};
}

}  // namespace

InputStage::InputStage(const DataConfig& config, at::Device device)
    : device_(device), mean_(per_channel(config.mean, device)), std_(per_channel(config.std, device)) {}

Input InputStage::operator()(const Batch& batch) const {
  const Pixels sent = upload(batch);
  return {normalise(sent.pixels), sent.labels};
}

Pixels InputStage::upload(const Batch& batch) const {
  const Pixels own = of(batch);
  if (device_.is_cpu()) {
    return {own.pixels, own.labels.clone()};
  }
  return {own.pixels.pin_memory().to(device_, /*non_blocking=*/true),
          own.labels.pin_memory().to(device_, /*non_blocking=*/true)};
}

Pixels InputStage::places_for(const Batch& batch) const {
  const Pixels own = of(batch);
  return {at::empty_like(own.pixels, at::TensorOptions().device(device_)),
          at::empty_like(own.labels, at::TensorOptions().device(device_))};
}

void InputStage::upload(const Batch& batch, const Pixels& places) const {
  const Pixels own = of(batch);
  const auto send = [&](const at::Tensor& from, const at::Tensor& to) {
    to.copy_(device_.is_cpu() ? from : from.pin_memory(), /*non_blocking=*/true);
  };
  send(own.pixels, places.pixels);
  send(own.labels, places.labels);
}

at::Tensor InputStage::normalise(const at::Tensor& pixels) const {
  // [N, H, W, 3] seen as [N, 3, H, W] is channels_last already
  const at::Tensor images = pixels.permute({0, 3, 1, 2}).to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  return images.div_(255.0).sub_(mean_).div_(std_);
}

}  // namespace effnetv2
