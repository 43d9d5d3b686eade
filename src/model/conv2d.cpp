#include "conv2d.h"

#include <ATen/core/grad_mode.h>
#include <torch/types.h>

namespace effnetv2 {

Conv2dImpl::Conv2dImpl(const ConvSpec& spec, bool with_bias) : spec_(spec) {
  weight_ = register_parameter(
      "weight", torch::zeros({spec.out_channels, spec.in_channels / spec.groups, spec.kernel, spec.kernel}));
  if (with_bias) {
    bias_ = register_parameter("bias", torch::zeros({spec.out_channels}));
  }
}

at::Tensor Conv2dImpl::forward(const at::Tensor& x) const {
  PackedFilter* packed = at::GradMode::is_enabled() ? nullptr : packed_.get();
  return conv2d(x, weight_, bias_, spec_.stride, (spec_.kernel - 1) / 2, spec_.groups, packed);
}

at::Tensor Conv2dImpl::forward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) const {
  return conv2d(x, weight, bias, spec_.stride, (spec_.kernel - 1) / 2, spec_.groups);
}

}  // namespace effnetv2
