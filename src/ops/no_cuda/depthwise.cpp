#include "effnetv2/ops/cuda_depthwise.h"

#include "refuse.h"

namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {

at::Tensor depthwise_conv2d(const at::Tensor&, const at::Tensor&, const at::Tensor&, std::int64_t, std::int64_t) {
  refuse_cuda();
}
at::Tensor depthwise_forward(const at::Tensor&, const at::Tensor&, const at::Tensor&, bool, std::int64_t,
                             std::int64_t) {
  refuse_cuda();
}
at::Tensor depthwise_grad_input(const at::Tensor&, const at::Tensor&, const at::Tensor&, std::int64_t, std::int64_t) {
  refuse_cuda();
}
at::Tensor depthwise_grad_weight(const at::Tensor&, const at::Tensor&, const at::Tensor&, std::int64_t, std::int64_t) {
  refuse_cuda();
}

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
