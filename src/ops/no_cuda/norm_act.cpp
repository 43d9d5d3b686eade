#include "effnetv2/ops/cuda_norm_act.h"

#include "refuse.h"

namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {

bool has_norm_kernels(const at::Tensor&, const Norm&) {
  return false;
}
at::Tensor norm_act(const at::Tensor&, const Norm&, Activation, const Residual&, bool, bool) {
  refuse_cuda();
}
at::Tensor norm_act_excite(const at::Tensor&, const Norm&, const Excite&, bool, bool) {
  refuse_cuda();
}

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
