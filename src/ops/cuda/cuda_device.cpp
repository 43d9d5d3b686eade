#include "effnetv2/ops/cuda_device.h"

#include <ATen/cuda/CUDAEvent.h>
#include <ATen/cuda/Sleep.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <cuda_runtime_api.h>

namespace effnetv2 {
namespace {

constexpr auto kAggregate = 0;  // of the allocator's pools: both together

c10::DeviceIndex index_of(int device) {
  return static_cast<c10::DeviceIndex>(device);
}

struct Memory {
  std::size_t unused = 0, all = 0;
};

Memory memory_of(int device) {
  const c10::cuda::CUDAGuard guard(index_of(device));
  Memory memory;
  C10_CUDA_CHECK(cudaMemGetInfo(&memory.unused, &memory.all));
  return memory;
}

}  // namespace

bool cuda_kernels_built() noexcept {
  return true;
}

int cuda_runtime_version() noexcept {
  int version = 0;
  return cudaRuntimeGetVersion(&version) == cudaSuccess ? version : 0;
}

std::int64_t cuda_peak_bytes(int device) {
  return c10::cuda::CUDACachingAllocator::getDeviceStats(index_of(device)).reserved_bytes[kAggregate].peak;
}

void cuda_reset_peak(int device) {
  const c10::cuda::CUDAGuard guard(index_of(device));
  c10::cuda::CUDACachingAllocator::emptyCache();
  c10::cuda::CUDACachingAllocator::resetPeakStats(index_of(device));
}

std::int64_t cuda_memory_bytes(int device) {
  return static_cast<std::int64_t>(memory_of(device).all);
}

std::int64_t cuda_free_bytes(int device) {
  return static_cast<std::int64_t>(memory_of(device).unused);
}

void cuda_keep_busy(int device) {
  constexpr std::int64_t kCycles = 1'000'000;
  const c10::cuda::CUDAGuard guard(index_of(device));
  at::cuda::sleep(kCycles);
}

struct CudaStopwatch::Impl {
  int device;
  std::vector<at::cuda::CUDAEvent> marks;
};

CudaStopwatch::CudaStopwatch(int device) : impl_(std::make_unique<Impl>()) {
  impl_->device = device;
}
CudaStopwatch::~CudaStopwatch() = default;

void CudaStopwatch::mark() {
  const c10::cuda::CUDAGuard guard(index_of(impl_->device));
  impl_->marks.emplace_back(cudaEventDefault).record();
}

std::vector<double> CudaStopwatch::milliseconds() const {
  std::vector<double> times;
  for (std::size_t i = 1; i < impl_->marks.size(); ++i) {
    impl_->marks[i].synchronize();
    times.push_back(impl_->marks[i - 1].elapsed_time(impl_->marks[i]));
  }
  return times;
}

}  // namespace effnetv2
