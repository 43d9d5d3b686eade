#include "batch_norm.h"

#include <ATen/ATen.h>
#include <torch/types.h>

#include "effnetv2/core/error.h"

namespace effnetv2 {

BatchNormImpl::BatchNormImpl(std::int64_t channels, double eps, double momentum) : eps_(eps), momentum_(momentum) {
  weight_ = register_parameter("weight", torch::ones({channels}));
  bias_ = register_parameter("bias", torch::zeros({channels}));
  running_mean_ = register_buffer("running_mean", torch::zeros({channels}));
  running_var_ = register_buffer("running_var", torch::ones({channels}));
  num_batches_tracked_ = register_buffer("num_batches_tracked", torch::zeros({}, torch::kLong));
}

Norm BatchNormImpl::prepare(const at::Tensor& x) const {
  if (is_training() && x.numel() == x.size(1)) {
    throw ConfigError(
        "BatchNorm cannot train on one value per channel: the batch has 1 picture and its map here is 1x1; "
        "set train.drop_last, or another train.batch_size, or a larger data.image_size");
  }
  return {weight_, bias_, running_mean_, running_var_, eps_, momentum_, num_batches_tracked_};
}

}  // namespace effnetv2
