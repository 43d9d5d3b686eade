#include "conv_bn_act.h"

#include <ATen/ATen.h>

namespace effnetv2 {

ConvBnActImpl::ConvBnActImpl(const ConvSpec& conv, const NormSpec& norm, Activation activation)
    : activation_(activation) {
  conv_ = register_module("0", std::make_shared<Conv2dImpl>(conv, /*with_bias=*/false));
  norm_ = register_module("1", std::make_shared<BatchNormImpl>(conv.out_channels, norm.eps, norm.momentum));
}

at::Tensor ConvBnActImpl::forward(const at::Tensor& x, const Residual& residual) {
  const at::Tensor y = conv_->forward(x);
  return norm_act_consuming(y, norm_->prepare(y), activation_, residual, is_training());
}

at::Tensor ConvBnActImpl::forward(const at::Tensor& x, const Excite& excite) {
  const at::Tensor y = conv_->forward(x);
  return norm_act_excite_consuming(y, norm_->prepare(y), excite, is_training());
}

}  // namespace effnetv2
