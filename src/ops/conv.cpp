#include "effnetv2/ops/conv.h"

#include <ATen/ATen.h>

namespace effnetv2 {

at::Tensor conv2d(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, std::int64_t stride,
                  std::int64_t padding, std::int64_t groups) {
  return at::conv2d(x, weight, bias, {stride, stride}, {padding, padding}, {1, 1}, groups);
}

}  // namespace effnetv2
