#include "squeeze_excite.h"

namespace effnetv2 {

SqueezeExciteImpl::SqueezeExciteImpl(std::int64_t channels, std::int64_t squeeze_channels) {
  fc1_ = register_module("fc1", std::make_shared<Conv2dImpl>(ConvSpec{channels, squeeze_channels}, true));
  fc2_ = register_module("fc2", std::make_shared<Conv2dImpl>(ConvSpec{squeeze_channels, channels}, true));
}

Excite SqueezeExciteImpl::tensors() const {
  return {fc1_->weight(), fc1_->bias(), fc2_->weight(), fc2_->bias()};
}

}  // namespace effnetv2
