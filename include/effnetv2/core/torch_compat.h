#pragma once

// Every difference between LibTorch versions (1.13 ... 2.14) stands here and nowhere else.

#include <ATen/Context.h>
#include <torch/version.h>

#define EFFNETV2_TORCH_AT_LEAST(major, minor) \
  (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

namespace effnetv2 {

/// Whether matrix products and convolutions in float32 may take TF32 on a card, in the whole process.
inline void set_tf32(bool on) {
  at::Context& context = at::globalContext();
#if EFFNETV2_TORCH_AT_LEAST(2, 11)
  // the older calls warn that they will go
  const auto precision = on ? at::Float32Precision::TF32 : at::Float32Precision::IEEE;
  for (const auto operation : {at::Float32Op::MATMUL, at::Float32Op::CONV}) {
    context.setFloat32Precision(at::Float32Backend::CUDA, operation, precision);
  }
#else
  context.setAllowTF32CuBLAS(on);
  context.setAllowTF32CuDNN(on);
#endif
}

/// Deterministic algorithms fill the memory of every new tensor, unless told that nothing reads it before it is
/// written.
inline void leave_new_tensors_unfilled() {
#if EFFNETV2_TORCH_AT_LEAST(2, 2)
  at::globalContext().setDeterministicFillUninitializedMemory(false);
#endif
}

}  // namespace effnetv2
