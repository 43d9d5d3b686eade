#include "effnetv2/train/input.h"

#include <ATen/ATen.h>

namespace effnetv2 {
namespace {

at::Tensor per_channel(const std::array<double, 3>& values, at::Device device) {
  return at::tensor({values[0], values[1], values[2]}, at::kFloat).view({1, 3, 1, 1}).to(device);
}

}  // namespace

InputStage::InputStage(const DataConfig& config, at::Device device)
    : device_(device), mean_(per_channel(config.mean, device)), std_(per_channel(config.std, device)) {}

Input InputStage::operator()(const Batch& batch) const {
  // from_blob aliases the batch; on the CPU the copy to float below is the first write
  auto pixels = at::from_blob(const_cast<std::uint8_t*>(batch.pixels.data()),
                              {batch.size, batch.image_size, batch.image_size, 3}, at::kByte);
  auto labels = at::from_blob(const_cast<std::int64_t*>(batch.labels.data()), {batch.size}, at::kLong);
  if (device_.is_cuda()) {
    pixels = pixels.pin_memory().to(device_, /*non_blocking=*/true);
    labels = labels.pin_memory().to(device_, /*non_blocking=*/true);
  } else {
    labels = labels.clone();
  }
  // [N, H, W, 3] seen as [N, 3, H, W] is channels_last already
  auto images = pixels.permute({0, 3, 1, 2}).to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  images.div_(255.0).sub_(mean_).div_(std_);
  return {images, labels};
}

}  // namespace effnetv2
