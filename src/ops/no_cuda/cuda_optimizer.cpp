#include "effnetv2/ops/cuda_optimizer.h"

#include "refuse.h"

namespace effnetv2 {

void cuda_update(UpdateKind, std::span<const CudaUpdate>, int) {
  refuse_cuda();
}

}  // namespace effnetv2
