#pragma once

#include <memory>

#include "block.h"

namespace effnetv2 {

/// Fused-MBConv (Tan & Le 2021, section 3.2): one full convolution in place of expansion and depthwise, then a 1x1
/// projection without activation; at ratio 1 the convolution alone, with activation. No squeeze-and-excitation.
class FusedMBConvImpl final : public BlockImpl {
 public:
  FusedMBConvImpl(const BlockSpec& spec, const NormSpec& norm);

 private:
  at::Tensor branch(const at::Tensor& x, const Residual& residual) override;

  std::shared_ptr<ConvBnActImpl> conv_;
  std::shared_ptr<ConvBnActImpl> project_;  ///< null if the ratio is 1
};

}  // namespace effnetv2
