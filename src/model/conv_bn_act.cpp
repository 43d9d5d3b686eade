#include "conv_bn_act.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

namespace effnetv2 {

ConvBnActImpl::ConvBnActImpl(const ConvSpec& conv, const NormSpec& norm, Activation activation)
    : activation_(activation) {
  conv_ = register_module("0", std::make_shared<Conv2dImpl>(conv, /*with_bias=*/false));
  norm_ = register_module("1", std::make_shared<BatchNormImpl>(conv.out_channels, norm.eps, norm.momentum));
}

at::Tensor ConvBnActImpl::forward(const at::Tensor& x, const Residual& residual) {
  if (!folded()) {
    const at::Tensor y = conv_->forward(x);
    return norm_act_consuming(y, norm_->prepare(y), activation_, residual, is_training());
  }
  at::Tensor y = conv_->forward(x, folded_weight_, folded_bias_);
  if (activation_ == Activation::silu) {
    at::silu_(y);
  }
  return residual.x.defined() ? y.add_(residual.x) : y;
}

at::Tensor ConvBnActImpl::forward(const at::Tensor& x, const Excite& excite) {
  if (!folded()) {
    const at::Tensor y = conv_->forward(x);
    return norm_act_excite_consuming(y, norm_->prepare(y), excite, is_training());
  }
  at::Tensor y = conv_->forward(x, folded_weight_, folded_bias_);
  return reference_excite(at::silu_(y), excite);
}

void ConvBnActImpl::fold(at::ScalarType dtype) {
  const torch::NoGradGuard no_grad;
  if (conv_->weight().device().is_cpu()) {
    conv_->hold_weight();  // there BatchNorm is one pass with the activation, which has to be made anyway
    return;
  }
  const auto [scale, shift] = norm_->affine();
  const at::Tensor weight = conv_->weight();
  folded_weight_ = (weight.to(at::kDouble) * scale.view({-1, 1, 1, 1}))
                       .to(weight.options().dtype(dtype))
                       .contiguous(at::MemoryFormat::ChannelsLast);
  folded_bias_ = shift.to(weight.options().dtype(dtype));
}

}  // namespace effnetv2
