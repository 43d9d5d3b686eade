#include "conv_bn_act.h"

#include "activation.h"

namespace effnetv2 {

ConvBnActImpl::ConvBnActImpl(const ConvSpec& conv, const NormSpec& norm, Activation activation)
    : activation_(activation) {
  conv_ = register_module("0", std::make_shared<Conv2dImpl>(conv, /*with_bias=*/false));
  norm_ = register_module("1", std::make_shared<BatchNormImpl>(conv.out_channels, norm.eps, norm.momentum));
}

at::Tensor ConvBnActImpl::forward(const at::Tensor& x) {
  at::Tensor y = norm_->forward(conv_->forward(x));
  return activation_ == Activation::silu ? silu_of(std::move(y)) : y;
}

}  // namespace effnetv2
