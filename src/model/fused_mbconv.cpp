#include "fused_mbconv.h"

namespace effnetv2 {

FusedMBConvImpl::FusedMBConvImpl(const BlockSpec& spec, const NormSpec& norm) : BlockImpl(spec) {
  const bool expands = spec.expanded_channels != spec.in_channels;
  const std::int64_t wide = expands ? spec.expanded_channels : spec.out_channels;
  conv_ = add_layer(std::make_shared<ConvBnActImpl>(ConvSpec{spec.in_channels, wide, spec.kernel, spec.stride}, norm,
                                                    Activation::silu));
  if (expands) {
    project_ = add_layer(std::make_shared<ConvBnActImpl>(ConvSpec{wide, spec.out_channels}, norm, Activation::none));
  }
}

at::Tensor FusedMBConvImpl::branch(const at::Tensor& x, const Residual& residual) {
  return project_ ? project_->forward(conv_->forward(x), residual) : conv_->forward(x, residual);
}

}  // namespace effnetv2
