#include "squeeze_excite.h"

#include <torch/types.h>

#include "activation.h"

namespace effnetv2 {

SqueezeExciteImpl::SqueezeExciteImpl(std::int64_t channels, std::int64_t squeeze_channels) {
  fc1_ = register_module("fc1", std::make_shared<Conv2dImpl>(ConvSpec{channels, squeeze_channels}, true));
  fc2_ = register_module("fc2", std::make_shared<Conv2dImpl>(ConvSpec{squeeze_channels, channels}, true));
}

at::Tensor SqueezeExciteImpl::forward(const at::Tensor& x) const {
  const at::Tensor squeezed = x.mean({2, 3}, /*keepdim=*/true);
  return x * fc2_->forward(silu_of(fc1_->forward(squeezed))).sigmoid_();
}

}  // namespace effnetv2
