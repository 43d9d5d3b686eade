#pragma once

#include <cstdint>

namespace effnetv2 {

/// A stretch of whole rows of a channels-last map, `count` values. What a channel needs is repeated to `period`
/// values, a whole number of rows that fills registers.
struct NormRows {
  std::int64_t count;
  std::int64_t period;
  const float* scale;  ///< [period]: z = x * scale + shift is what BatchNorm gives
  const float* shift;
  bool silu;  ///< what follows z: SiLU or nothing
};

/// The gradient by x as a sum of three: slope * dz - slant * x - offset, each [period].
struct NormSlopes {
  const float* slope;
  const float* slant;
  const float* offset;
};

/// Kernels over one stretch for one instruction set and storage type (float32, or bfloat16 as 16-bit words). Sums are
/// added to what is there, [period] each, one for each place in the period.
struct NormActKernels {
  /// Of x - origin and its square.
  void (*moments)(const void* x, std::int64_t count, std::int64_t period, const float* origin, float* sum,
                  float* square);
  /// y = act(z) * factor + residual; residual may be null.
  void (*apply)(const NormRows&, const void* x, float factor, const void* residual, void* y);
  /// Of dz = dy * factor * act'(z), and of dz * (x - mean).
  void (*grad_sums)(const NormRows&, const void* x, const void* dy, float factor, const float* mean, float* sum,
                    float* product);
  void (*grad)(const NormRows&, const void* x, const void* dy, float factor, const NormSlopes&, void* dx);

  // With squeeze-excite behind the activation, over the rows of one image: y = act(z) * gate.
  void (*pool)(const NormRows&, const void* x, float* sum);
  void (*gated)(const NormRows&, const void* x, const float* gate, void* y);
  /// Of dy * act(z).
  void (*gate_sums)(const NormRows&, const void* x, const void* dy, float* sum);
  /// Of dz = (dy * gate + pooled) * act'(z), and of dz * (x - mean).
  void (*gated_sums)(const NormRows&, const void* x, const void* dy, const float* gate, const float* pooled,
                     const float* mean, float* sum, float* product);
  void (*gated_grad)(const NormRows&, const void* x, const void* dy, const float* gate, const float* pooled,
                     const NormSlopes&, void* dx);
};

}  // namespace effnetv2
