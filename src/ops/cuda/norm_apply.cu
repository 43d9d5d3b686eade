#include "norm_rows.h"

// What goes over a map and writes another: the normalised one, and the gradient by what was normalised.
namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {
namespace {

template <typename T, int vector>
__global__ void __launch_bounds__(kNormThreads)
    apply_kernel(const RowTiling t, const NormStatistics s, const T* x, bool silu, const float* keep, const float* gate,
                 const T* residual, T* y) {
  const int channel = first_channel<vector>();
  if (channel >= t.channels) {
    return;
  }
  float scale[vector], shift[vector];
  load_floats<vector>(s.scale + channel, scale);
  load_floats<vector>(s.shift + channel, shift);
  const std::int64_t begin = blockIdx.x * t.chunk, end = min(begin + t.chunk, t.rows);
#pragma unroll 2
  for (std::int64_t row = begin + threadIdx.y; row < end; row += blockDim.y) {
    const std::int64_t at = row * t.channels + channel;
    float values[vector];
    unpack<T, vector>(load_channels<T, vector>(x + at), values);
#pragma unroll
    for (int v = 0; v < vector; ++v) {
      const float z = values[v] * scale[v] + shift[v];
      values[v] = silu ? z * sigmoid(z) : z;
    }
    if (gate != nullptr) {
      float gates[vector];
      load_floats<vector>(gate + image_of(t, row) * t.channels + channel, gates);
#pragma unroll
      for (int v = 0; v < vector; ++v) {
        values[v] *= gates[v];
      }
    }
    if (residual != nullptr) {
      const float factor = keep != nullptr ? __ldg(keep + image_of(t, row)) : 1.0f;
      float added[vector];
      unpack<T, vector>(load_channels<T, vector>(residual + at), added);
#pragma unroll
      for (int v = 0; v < vector; ++v) {
        values[v] = factor * values[v] + added[v];
      }
    }
    store_channels<T, vector>(y + at, values);
  }
}

template <typename T, int vector>
__global__ void __launch_bounds__(kNormThreads)
    grad_kernel(const RowTiling t, const NormStatistics s, const T* x, const T* dy, bool silu, const BranchGrad branch,
                const float* slopes, T* dx) {
  const int channel = first_channel<vector>();
  if (channel >= t.channels) {
    return;
  }
  float scale[vector], shift[vector], slope[vector], slant[vector], offset[vector];
  load_floats<vector>(s.scale + channel, scale);
  load_floats<vector>(s.shift + channel, shift);
  load_floats<vector>(slopes + channel, slope);
  load_floats<vector>(slopes + t.channels + channel, slant);
  load_floats<vector>(slopes + 2 * t.channels + channel, offset);
  const std::int64_t begin = blockIdx.x * t.chunk, end = min(begin + t.chunk, t.rows);
#pragma unroll 2
  for (std::int64_t row = begin + threadIdx.y; row < end; row += blockDim.y) {
    const std::int64_t at = row * t.channels + channel;
    float values[vector], grads[vector];
    unpack<T, vector>(load_channels<T, vector>(x + at), values);
    unpack<T, vector>(load_channels<T, vector>(dy + at), grads);
    grad_before_norm<vector>(t, row, channel, branch, silu, scale, shift, values, grads);
#pragma unroll
    for (int v = 0; v < vector; ++v) {
      grads[v] = slope[v] * grads[v] - slant[v] * values[v] - offset[v];
    }
    store_channels<T, vector>(dx + at, grads);
  }
}

}  // namespace

cudaError_t norm_apply(const NormMap& map, const NormStatistics& statistics, const NormApply& tensors,
                       cudaStream_t stream) {
  return by_type(map, [&](auto type, auto vector) {
    using T = decltype(type);
    const RowTiling t = tile_rows(map, vector());
    return launch(apply_kernel<T, vector()>, t.grid(), t.block(), 0, stream, t, statistics,
                  static_cast<const T*>(tensors.x), tensors.silu, tensors.keep, tensors.gate,
                  static_cast<const T*>(tensors.residual), static_cast<T*>(tensors.y));
  });
}

cudaError_t norm_grad(const NormMap& map, const NormStatistics& statistics, const NormGrad& grad, const float* slopes,
                      void* dx, cudaStream_t stream) {
  return by_type(map, [&](auto type, auto vector) {
    using T = decltype(type);
    const RowTiling t = tile_rows(map, vector());
    return launch(grad_kernel<T, vector()>, t.grid(), t.block(), 0, stream, t, statistics,
                  static_cast<const T*>(grad.x), static_cast<const T*>(grad.dy), grad.silu, grad.branch, slopes,
                  static_cast<T*>(dx));
  });
}

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
