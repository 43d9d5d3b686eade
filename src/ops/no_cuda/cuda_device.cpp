#include "effnetv2/ops/cuda_device.h"

#include "effnetv2/core/error.h"

namespace effnetv2 {
namespace {

[[noreturn]] void refuse() {
  throw EnvironmentError(
      "built without CUDA: configure with the preset \"cuda\" (LibTorch with CUDA and nvcc), or "
      "use --device cpu");
}

}  // namespace

bool cuda_kernels_built() noexcept {
  return false;
}
void cuda_synchronize(int) {
  refuse();
}
std::int64_t cuda_peak_bytes(int) {
  refuse();
}
void cuda_reset_peak(int) {
  refuse();
}

}  // namespace effnetv2
