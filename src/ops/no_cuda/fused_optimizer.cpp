#include "effnetv2/ops/fused_optimizer.h"

#include "refuse.h"

namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {

std::unique_ptr<FusedOptimizer> fused_optimizer(UpdateKind, const UpdateRule&, std::size_t, at::Device) {
  refuse_cuda();
}

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
