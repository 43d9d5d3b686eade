#include "effnetv2/ops/cuda_device.h"

#include "refuse.h"

namespace effnetv2 {

bool cuda_kernels_built() noexcept {
  return false;
}
int cuda_runtime_version() noexcept {
  return 0;
}
std::int64_t cuda_peak_bytes(int) {
  refuse_cuda();
}
void cuda_reset_peak(int) {
  refuse_cuda();
}
std::int64_t cuda_memory_bytes(int) {
  refuse_cuda();
}
std::int64_t cuda_free_bytes(int) {
  refuse_cuda();
}
void cuda_keep_busy(int) {
  refuse_cuda();
}

struct CudaStopwatch::Impl {};
CudaStopwatch::CudaStopwatch(int) {
  refuse_cuda();
}
CudaStopwatch::~CudaStopwatch() = default;
void CudaStopwatch::mark() {
  refuse_cuda();
}
std::vector<double> CudaStopwatch::milliseconds() const {
  refuse_cuda();
}

}  // namespace effnetv2
