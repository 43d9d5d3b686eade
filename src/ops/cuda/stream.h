#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include "launch.h"

#ifndef EFFNETV2_CUDA_EMULATED
#include <c10/cuda/CUDAGraphsC10Utils.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {

/// Throws c10::Error if a launch was refused.
inline void check_launch(cudaError_t error) {
  TORCH_CHECK(error == cudaSuccess, "CUDA refused a kernel: ", cudaGetErrorString(error));
}

#ifdef EFFNETV2_CUDA_EMULATED
inline constexpr at::DeviceType kDevice = at::kCPU;
/// Tensors of the emulator lie on the CPU.
struct DeviceGuard {
  explicit DeviceGuard(const at::Tensor& /*tensor*/) {}
};
inline cudaStream_t current_stream(const at::Tensor& /*tensor*/) {
  return nullptr;
}
inline bool is_capturing() {
  return cuda_host::capturing;
}
#else
inline constexpr at::DeviceType kDevice = at::kCUDA;
/// The card of a tensor is the current one while this lives.
struct DeviceGuard {
  explicit DeviceGuard(const at::Tensor& tensor) : guard(tensor.device()) {}
  c10::cuda::CUDAGuard guard;
};
inline cudaStream_t current_stream(const at::Tensor& tensor) {
  return c10::cuda::getCurrentCUDAStream(tensor.get_device()).stream();
}
/// True while the current stream's work is recorded for a CUDA graph instead of done.
inline bool is_capturing() {
  return c10::cuda::currentStreamCaptureStatusMayInitCtx() != c10::cuda::CaptureStatus::None;
}
#endif

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
