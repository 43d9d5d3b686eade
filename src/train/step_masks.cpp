#include "effnetv2/train/step_masks.h"

#include <algorithm>

#include <ATen/ATen.h>

namespace effnetv2 {

StepMasks::StepMasks(const Architecture& architecture, std::int64_t n, at::Device device)
    : n_(n), channels_(architecture.head_channels), dropout_(architecture.dropout) {
  for (const auto& stage : architecture.stages) {
    for (const BlockSpec& block : stage) {
      if (block.has_residual() && block.drop_rate > 0.0) {
        rows_.push_back({block.index, block.drop_rate, units_offset_});
        units_offset_ += n;
      }
    }
  }
  const std::int64_t units = dropout_ > 0.0 ? n * channels_ : 0;
  masks_ = at::zeros({units_offset_ + units}, at::TensorOptions().dtype(at::kFloat).device(device));
}

void StepMasks::draw(std::uint64_t seed, std::int64_t step) {
  SeededNoise noise(seed, step);
  const at::Tensor host = at::empty(masks_.sizes(), at::TensorOptions().pinned_memory(masks_.is_cuda()));
  for (const Rows& rows : rows_) {
    host.narrow(0, rows.offset, n_).copy_(noise.keep_rows(rows.block, n_, rows.rate, at::kCPU));
  }
  if (dropout_ > 0.0) {
    host.narrow(0, units_offset_, n_ * channels_).copy_(noise.keep_units(n_, channels_, dropout_, at::kCPU).view(-1));
  }
  masks_.copy_(host, /*non_blocking=*/true);
}

at::Tensor StepMasks::keep_rows(std::int64_t block, std::int64_t n, double rate, at::Device /*device*/) {
  const auto rows = std::ranges::find(rows_, block, &Rows::block);
  TORCH_CHECK(rows != rows_.end() && n == n_ && rate == rows->rate, "no masks of ", n, " rows for block ", block);
  return masks_.narrow(0, rows->offset, n);
}

at::Tensor StepMasks::keep_units(std::int64_t n, std::int64_t channels, double rate, at::Device /*device*/) {
  TORCH_CHECK(n == n_ && channels == channels_ && rate == dropout_, "no masks of ", n, " x ", channels, " units");
  return masks_.narrow(0, units_offset_, n * channels).view({n, channels});
}

}  // namespace effnetv2
