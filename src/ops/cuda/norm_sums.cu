#include "norm_rows.h"

// What sums over the rows of a map: the batch's statistics, the gradients of weight and bias, pooling.
namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {
namespace {

/// Adds what the rows of a block have summed up; the result is in the threads of row 0. In pairs, so that the order
/// does not depend on anything but the block's shape.
template <int vector>
__device__ __forceinline__ void add_rows(float (&sums)[vector]) {
  __shared__ float shared[kNormThreads * vector];
  const unsigned thread = threadIdx.y * blockDim.x + threadIdx.x;
  __syncthreads();  // an earlier sum may be on its way
#pragma unroll
  for (int v = 0; v < vector; ++v) {
    shared[v * kNormThreads + thread] = sums[v];
  }
  for (unsigned half = blockDim.y / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.y < half) {
#pragma unroll
      for (int v = 0; v < vector; ++v) {
        shared[v * kNormThreads + thread] += shared[v * kNormThreads + thread + half * blockDim.x];
      }
    }
  }
  if (threadIdx.y == 0) {
#pragma unroll
    for (int v = 0; v < vector; ++v) {
      sums[v] = shared[v * kNormThreads + thread];
    }
  }
}

/// Two sums of a chunk to partial [chunks, 2, C].
template <int vector>
__device__ __forceinline__ void store_partial(const RowTiling& t, int channel, float (&a)[vector], float (&b)[vector],
                                              float* partial) {
  add_rows<vector>(a);
  add_rows<vector>(b);
  if (threadIdx.y == 0 && channel < t.channels) {
    float* to = partial + static_cast<std::int64_t>(blockIdx.x) * 2 * t.channels + channel;
#pragma unroll
    for (int v = 0; v < vector; ++v) {
      to[v] = a[v];
      to[t.channels + v] = b[v];
    }
  }
}

/// Sums of x - origin and of its square, origin being the first row: they lose nothing to a large mean.
template <typename T, int vector>
__global__ void __launch_bounds__(kNormThreads) moments_kernel(const RowTiling t, const T* x, float* partial) {
  const int channel = first_channel<vector>();
  float sum[vector] = {}, square[vector] = {};
  if (channel < t.channels) {
    float origin[vector];
    unpack<T, vector>(load_channels<T, vector>(x + channel), origin);
    const std::int64_t begin = blockIdx.x * t.chunk, end = min(begin + t.chunk, t.rows);
#pragma unroll 4
    for (std::int64_t row = begin + threadIdx.y; row < end; row += blockDim.y) {
      float values[vector];
      unpack<T, vector>(load_channels<T, vector>(x + row * t.channels + channel), values);
#pragma unroll
      for (int v = 0; v < vector; ++v) {
        const float distance = values[v] - origin[v];
        sum[v] += distance;
        square[v] += distance * distance;
      }
    }
  }
  store_partial<vector>(t, channel, sum, square, partial);
}

template <typename T, int vector>
__global__ void __launch_bounds__(kNormThreads)
    grad_sums_kernel(const RowTiling t, const NormStatistics s, const T* x, const T* dy, bool silu,
                     const BranchGrad branch, float* partial) {
  const int channel = first_channel<vector>();
  float sum[vector] = {}, product[vector] = {};
  if (channel < t.channels) {
    float scale[vector], shift[vector], mean[vector];
    load_floats<vector>(s.scale + channel, scale);
    load_floats<vector>(s.shift + channel, shift);
    load_floats<vector>(s.mean + channel, mean);
    const std::int64_t begin = blockIdx.x * t.chunk, end = min(begin + t.chunk, t.rows);
#pragma unroll 2
    for (std::int64_t row = begin + threadIdx.y; row < end; row += blockDim.y) {
      float values[vector], grads[vector];
      unpack<T, vector>(load_channels<T, vector>(x + row * t.channels + channel), values);
      unpack<T, vector>(load_channels<T, vector>(dy + row * t.channels + channel), grads);
      grad_before_norm<vector>(t, row, channel, branch, silu, scale, shift, values, grads);
#pragma unroll
      for (int v = 0; v < vector; ++v) {
        sum[v] += grads[v];
        product[v] += grads[v] * (values[v] - mean[v]);
      }
    }
  }
  store_partial<vector>(t, channel, sum, product, partial);
}

/// Of one image each: blockIdx.x is the image.
template <typename T, int vector>
__global__ void __launch_bounds__(kNormThreads)
    pool_kernel(const RowTiling t, const NormStatistics s, const T* x, const T* dy, float* out) {
  const int channel = first_channel<vector>();
  float sum[vector] = {};
  if (channel < t.channels) {
    float scale[vector], shift[vector];
    load_floats<vector>(s.scale + channel, scale);
    load_floats<vector>(s.shift + channel, shift);
    const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * t.positions, end = begin + t.positions;
#pragma unroll 4
    for (std::int64_t row = begin + threadIdx.y; row < end; row += blockDim.y) {
      float values[vector], grads[vector];
      unpack<T, vector>(load_channels<T, vector>(x + row * t.channels + channel), values);
      if (dy != nullptr) {
        unpack<T, vector>(load_channels<T, vector>(dy + row * t.channels + channel), grads);
      }
#pragma unroll
      for (int v = 0; v < vector; ++v) {
        const float z = values[v] * scale[v] + shift[v];
        sum[v] += z * sigmoid(z) * (dy != nullptr ? grads[v] : 1.0f);
      }
    }
  }
  add_rows<vector>(sum);
  if (threadIdx.y == 0 && channel < t.channels) {
    const float factor = dy != nullptr ? 1.0f : 1.0f / static_cast<float>(t.positions);
#pragma unroll
    for (int v = 0; v < vector; ++v) {
      out[static_cast<std::int64_t>(blockIdx.x) * t.channels + channel + v] = sum[v] * factor;
    }
  }
}

constexpr int kTotalColumns = 16;
constexpr int kTotalRows = 32;

/// The two sums of a channel over all chunks, in the threads of row 0.
__device__ __forceinline__ void add_chunks(const float* partial, unsigned chunks, int channels, int channel, double& a,
                                           double& b) {
  __shared__ double shared[2][kTotalRows][kTotalColumns];
  a = 0.0;
  b = 0.0;
  if (channel < channels) {
#pragma unroll 4
    for (unsigned chunk = threadIdx.y; chunk < chunks; chunk += kTotalRows) {
      const float* from = partial + static_cast<std::int64_t>(chunk) * 2 * channels + channel;
      a += from[0];
      b += from[channels];
    }
  }
  shared[0][threadIdx.y][threadIdx.x] = a;
  shared[1][threadIdx.y][threadIdx.x] = b;
  for (unsigned half = kTotalRows / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.y < half) {
      shared[0][threadIdx.y][threadIdx.x] += shared[0][threadIdx.y + half][threadIdx.x];
      shared[1][threadIdx.y][threadIdx.x] += shared[1][threadIdx.y + half][threadIdx.x];
    }
  }
  a = shared[0][0][threadIdx.x];
  b = shared[1][0][threadIdx.x];
}

template <typename T>
__global__ void __launch_bounds__(kTotalColumns* kTotalRows)
    finish_statistics_kernel(const BatchStatistics batch, const float* partial, unsigned chunks, int channels,
                             std::int64_t rows, const NormStatistics s) {
  const int c = static_cast<int>(blockIdx.x) * kTotalColumns + static_cast<int>(threadIdx.x);
  double sum, square;
  add_chunks(partial, chunks, channels, c, sum, square);
  if (threadIdx.y != 0 || c >= channels) {
    return;
  }
  const auto n = static_cast<double>(rows);
  const double mean = static_cast<double>(static_cast<float>(static_cast<const T*>(batch.x)[c])) + sum / n;
  double variance = (square - sum * sum / n) / n;
  if (variance < 0.0) {  // not of a NaN
    variance = 0.0;
  }
  const double inverse = 1.0 / sqrt(variance + batch.eps);
  s.scale[c] = static_cast<float>(batch.weight[c] * inverse);
  s.shift[c] = static_cast<float>(batch.bias[c] - mean * batch.weight[c] * inverse);
  s.mean[c] = static_cast<float>(mean);
  s.inverse[c] = static_cast<float>(inverse);
  if (c == 0 && batch.batches != nullptr) {
    *batch.batches += 1;
  }
  const double before_mean = batch.running_mean[c], before_var = batch.running_var[c];
  batch.running_mean[c] = static_cast<float>(before_mean + batch.momentum * (mean - before_mean));
  batch.running_var[c] = static_cast<float>(before_var + batch.momentum * (variance * n / (n - 1.0) - before_var));
}

__global__ void __launch_bounds__(kTotalColumns* kTotalRows)
    finish_grad_kernel(const NormStatistics s, const float* partial, unsigned chunks, int channels, std::int64_t rows,
                       float* grad_weight, float* grad_bias, float* slopes) {
  const int c = static_cast<int>(blockIdx.x) * kTotalColumns + static_cast<int>(threadIdx.x);
  double sum, product;
  add_chunks(partial, chunks, channels, c, sum, product);
  if (threadIdx.y != 0 || c >= channels) {
    return;
  }
  const auto n = static_cast<double>(rows);
  const double scale = s.scale[c], mean = s.mean[c], inverse = s.inverse[c];
  grad_bias[c] = static_cast<float>(sum);
  grad_weight[c] = static_cast<float>(product * inverse);
  const double tilt = scale * inverse * inverse * product / n;
  slopes[c] = static_cast<float>(scale);
  slopes[channels + c] = static_cast<float>(tilt);
  slopes[2 * channels + c] = static_cast<float>(scale * sum / n - tilt * mean);
}

__global__ void running_statistics_kernel(const BatchStatistics running, int channels, const NormStatistics s) {
  const int c = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (c < channels) {
    const double scale = running.weight[c] / sqrt(static_cast<double>(running.running_var[c]) + running.eps);
    s.scale[c] = static_cast<float>(scale);
    s.shift[c] = static_cast<float>(running.bias[c] - running.running_mean[c] * scale);
  }
}

dim3 total_grid(int channels) {
  return dim3(static_cast<unsigned>((channels + kTotalColumns - 1) / kTotalColumns));
}

}  // namespace

std::int64_t norm_partial_size(const NormMap& map) {
  std::int64_t size = 0;
  by_type(map, [&](auto, auto vector) {
    size = static_cast<std::int64_t>(tile_rows(map, vector()).chunks) * 2 * map.channels;
    return cudaSuccess;
  });
  return size;
}

cudaError_t batch_statistics(const NormMap& map, const BatchStatistics& batch, float* partial,
                             const NormStatistics& statistics, cudaStream_t stream) {
  return by_type(map, [&](auto type, auto vector) {
    using T = decltype(type);
    const RowTiling t = tile_rows(map, vector());
    const cudaError_t error =
        launch(moments_kernel<T, vector()>, t.grid(), t.block(), 0, stream, t, static_cast<const T*>(batch.x), partial);
    return error != cudaSuccess
               ? error
               : launch(finish_statistics_kernel<T>, total_grid(map.channels), dim3(kTotalColumns, kTotalRows), 0,
                        stream, batch, partial, t.chunks, map.channels, map.rows, statistics);
  });
}

cudaError_t running_statistics(const NormMap& map, const BatchStatistics& running, const NormStatistics& statistics,
                               cudaStream_t stream) {
  constexpr int kThreads = 128;
  return launch(running_statistics_kernel, dim3(static_cast<unsigned>((map.channels + kThreads - 1) / kThreads)),
                dim3(kThreads), 0, stream, running, map.channels, statistics);
}

cudaError_t norm_pool(const NormMap& map, const NormStatistics& statistics, const void* x, const void* dy, float* out,
                      cudaStream_t stream) {
  return by_type(map, [&](auto type, auto vector) {
    using T = decltype(type);
    const RowTiling t = tile_rows(map, vector());
    const dim3 grid(static_cast<unsigned>(map.images()), static_cast<unsigned>(t.groups));
    return launch(pool_kernel<T, vector()>, grid, t.block(), 0, stream, t, statistics, static_cast<const T*>(x),
                  static_cast<const T*>(dy), out);
  });
}

cudaError_t norm_grad_sums(const NormMap& map, const NormStatistics& statistics, const NormGrad& grad, float* partial,
                           float* grad_weight, float* grad_bias, float* slopes, cudaStream_t stream) {
  return by_type(map, [&](auto type, auto vector) {
    using T = decltype(type);
    const RowTiling t = tile_rows(map, vector());
    const cudaError_t error =
        launch(grad_sums_kernel<T, vector()>, t.grid(), t.block(), 0, stream, t, statistics,
               static_cast<const T*>(grad.x), static_cast<const T*>(grad.dy), grad.silu, grad.branch, partial);
    return error != cudaSuccess
               ? error
               : launch(finish_grad_kernel, total_grid(map.channels), dim3(kTotalColumns, kTotalRows), 0, stream,
                        statistics, partial, t.chunks, map.channels, map.rows, grad_weight, grad_bias, slopes);
  });
}

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
