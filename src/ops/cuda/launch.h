#pragma once

#include <cstddef>

#include <cuda_runtime.h>

#include "effnetv2/ops/cuda_namespace.h"

// Kernels are launched by this alone, so that tests can run the same sources where there is no card: with
// EFFNETV2_CUDA_EMULATED and headers of tests/cuda_host in the place of CUDA's.
#if defined(__CUDACC__) || defined(EFFNETV2_CUDA_EMULATED)  // not for bindings, which are plain C++
namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {

/// kernel<<<grid, block, shared_bytes, stream>>>(arguments...), and whether that was accepted.
template <typename... Parameters, typename... Arguments>
cudaError_t launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes, cudaStream_t stream,
                   const Arguments&... arguments) {
#ifdef EFFNETV2_CUDA_EMULATED
  static_cast<void>(stream);
  cuda_host::run({grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, shared_bytes, [&] { kernel(arguments...); });
  return cudaSuccess;
#else
  // clang-format off
  kernel<<<grid, block, shared_bytes, stream>>>(arguments...);
  // clang-format on
  return cudaGetLastError();
#endif
}

/// The shared memory that a launch asks for by shared_bytes, aligned to 16 bytes.
template <typename T>
__device__ __forceinline__ T* dynamic_shared() {
#ifdef EFFNETV2_CUDA_EMULATED
  return static_cast<T*>(cuda_host::dynamic_shared());
#else
  extern __shared__ __align__(16) unsigned char effnetv2_dynamic_shared[];
  return reinterpret_cast<T*>(effnetv2_dynamic_shared);
#endif
}

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
#endif
