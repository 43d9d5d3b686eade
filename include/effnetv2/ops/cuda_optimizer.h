#pragma once

#include <span>

#include "effnetv2/ops/optimizer_kernels.h"

namespace effnetv2 {

/// One parameter's update; the slice points into a card's memory.
struct CudaUpdate {
  UpdateRule rule;
  UpdateSlice slice;
};

/// All updates in a few launches on the current stream of card `device`, where every pointer must live. The rules may
/// differ in step_size, shrink, l2 and correction; the rest is the first one's. Element by element in float32, as the
/// CPU kernels.
/// Throws EnvironmentError where the CUDA kernels were not built.
void cuda_update(UpdateKind kind, std::span<const CudaUpdate> updates, int device);

}  // namespace effnetv2
