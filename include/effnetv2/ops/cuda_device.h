#pragma once

#include <cstdint>

namespace effnetv2 {

/// Whether this build holds its own CUDA kernels (EFFNETV2_CUDA). The other functions here throw EnvironmentError
/// that says so if not.
bool cuda_kernels_built() noexcept;

/// Waits until all work queued on card `device` is done. Throws EnvironmentError with the driver's words.
void cuda_synchronize(int device);

/// The most bytes of card `device` that tensors have held at once since the start or the last reset.
std::int64_t cuda_peak_bytes(int device);
void cuda_reset_peak(int device);

}  // namespace effnetv2
