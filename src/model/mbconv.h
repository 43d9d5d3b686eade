#pragma once

#include <memory>

#include "block.h"
#include "squeeze_excite.h"

namespace effnetv2 {

/// MBConv (Sandler et al. 2018; Tan & Le 2019): 1x1 expansion unless the ratio is 1, depthwise convolution,
/// squeeze-and-excitation, 1x1 projection without activation.
class MBConvImpl final : public BlockImpl {
 public:
  MBConvImpl(const BlockSpec& spec, const NormSpec& norm);

 private:
  at::Tensor branch(const at::Tensor& x, const Residual& residual) override;

  std::shared_ptr<ConvBnActImpl> expand_;  ///< null if the ratio is 1
  std::shared_ptr<ConvBnActImpl> depthwise_;
  std::shared_ptr<SqueezeExciteImpl> excite_;
  std::shared_ptr<ConvBnActImpl> project_;
};

}  // namespace effnetv2
