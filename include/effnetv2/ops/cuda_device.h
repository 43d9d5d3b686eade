#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "effnetv2/core/cpu_features.h"

namespace effnetv2 {

/// Whether this build holds its own CUDA kernels (EFFNETV2_CUDA). If not, what needs a card here throws
/// EnvironmentError that says so.
bool cuda_kernels_built() noexcept;

/// Whether tensors on a card take them: EFFNETV2_CPU=reference wants LibTorch's operations there too.
inline bool has_cuda_kernels() {
  return cuda_kernels_built() && has_cpu_kernels();
}

/// CUDA's runtime as 1000 * major + 10 * minor, with or without a card; 0 where the kernels were not built.
int cuda_runtime_version() noexcept;

/// The most bytes of card `device` that LibTorch has held at once since the start or the last reset. What a CUDA graph
/// keeps for its replays counts, and what lies free between tensors; what the driver takes for itself does not.
std::int64_t cuda_peak_bytes(int device);
/// Gives back what no tensor and no graph needs, then counts anew.
void cuda_reset_peak(int device);
/// All that card `device` has, and what of it is free now.
std::int64_t cuda_memory_bytes(int device);
std::int64_t cuda_free_bytes(int device);

/// Queues half a millisecond of nothing on the current stream of a card: what is queued meanwhile then runs without
/// gaps.
void cuda_keep_busy(int device);

/// Times work queued on the current stream of a card without making it wait.
class CudaStopwatch {
 public:
  explicit CudaStopwatch(int device);
  ~CudaStopwatch();
  CudaStopwatch(const CudaStopwatch&) = delete;
  CudaStopwatch& operator=(const CudaStopwatch&) = delete;

  /// Notes the moment at which everything queued so far is done.
  void mark();
  /// Between each mark and the next. Waits for the last.
  std::vector<double> milliseconds() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace effnetv2
