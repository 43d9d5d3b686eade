#include "mbconv.h"

namespace effnetv2 {

MBConvImpl::MBConvImpl(const BlockSpec& spec, const NormSpec& norm) : BlockImpl(spec) {
  const std::int64_t wide = spec.expanded_channels;
  if (wide != spec.in_channels) {
    expand_ = add_layer(std::make_shared<ConvBnActImpl>(ConvSpec{spec.in_channels, wide}, norm, Activation::silu));
  }
  depthwise_ = add_layer(
      std::make_shared<ConvBnActImpl>(ConvSpec{wide, wide, spec.kernel, spec.stride, wide}, norm, Activation::silu));
  excite_ = add_layer(std::make_shared<SqueezeExciteImpl>(wide, spec.squeeze_channels));
  project_ = add_layer(std::make_shared<ConvBnActImpl>(ConvSpec{wide, spec.out_channels}, norm, Activation::none));
}

at::Tensor MBConvImpl::branch(const at::Tensor& x, const Residual& residual) {
  const at::Tensor wide = expand_ ? expand_->forward(x) : x;
  return project_->forward(depthwise_->forward(wide, excite_->tensors()), residual);
}

}  // namespace effnetv2
