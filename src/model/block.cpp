#include "block.h"

#include <torch/types.h>

#include "fused_mbconv.h"
#include "mbconv.h"

namespace effnetv2 {

BlockImpl::BlockImpl(const BlockSpec& spec)
    : spec_(spec), chain_(register_module("block", std::make_shared<torch::nn::Module>())) {}

at::Tensor BlockImpl::forward(const at::Tensor& x, Noise* noise) {
  Residual residual;
  if (spec_.has_residual()) {
    residual.x = x;
    if (noise != nullptr && is_training() && spec_.drop_rate > 0.0) {
      residual.keep = noise->keep_rows(spec_.index, x.size(0), spec_.drop_rate, x.device());
      residual.scale = 1.0 / (1.0 - spec_.drop_rate);
    }
  }
  return branch(x, residual);
}

std::shared_ptr<BlockImpl> make_block(const BlockSpec& spec, const NormSpec& norm) {
  if (spec.kind == BlockKind::mbconv) {
    return std::make_shared<MBConvImpl>(spec, norm);
  }
  return std::make_shared<FusedMBConvImpl>(spec, norm);
}

}  // namespace effnetv2
