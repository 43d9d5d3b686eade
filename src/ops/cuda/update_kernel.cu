#include "launch.h"
#include "update_kernel.h"

namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {
namespace {

constexpr int kThreads = 256;
constexpr int kVector = 4;
constexpr int kWarp = 32;

/// The rules of ops/optimizer_kernels.h on one element; returns the new value.
template <Rule rule>
__device__ __forceinline__ float apply(const UpdateConstants& c, const UpdateNumbers& n, float value, float grad,
                                       float& first, float& second) {
  if constexpr (rule == Rule::adam) {
    const float p = value * n.shrink;
    const float g = grad + n.l2 * p;
    first = c.keep1 * first + c.take1 * g;
    second = c.keep2 * second + c.take2 * (g * g);
    return p - n.step_size * (first / (sqrtf(second) * n.correction + c.eps));
  } else if constexpr (rule == Rule::sgd) {
    return value - n.step_size * (grad + n.l2 * value);
  } else if constexpr (rule == Rule::sgd_momentum) {
    const float g = grad + n.l2 * value;
    first = c.momentum * first + g;
    return value - n.step_size * (c.nesterov ? g + c.momentum * first : first);
  } else {
    const float g = grad + n.l2 * value;
    first = c.keep2 * first + c.take2 * (g * g);
    const float direction = g / (sqrtf(first) + c.eps);
    if constexpr (rule == Rule::rmsprop) {
      return value - n.step_size * direction;
    } else {
      second = c.momentum * second + direction;
      return value - n.step_size * second;
    }
  }
}

template <Rule rule>
inline constexpr bool has_first = rule != Rule::sgd;
template <Rule rule>
inline constexpr bool has_second = rule == Rule::adam || rule == Rule::rmsprop_momentum;

__device__ __forceinline__ bool aligned(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer) % sizeof(float4) == 0;
}

__device__ __forceinline__ float4 load(const float* from, std::int64_t i) {
  return *reinterpret_cast<const float4*>(from + i);
}
__device__ __forceinline__ void store(float* to, std::int64_t i, float4 values) {
  *reinterpret_cast<float4*>(to + i) = values;
}

template <Rule rule>
__global__ void __launch_bounds__(kThreads) update_kernel(const UpdateConstants c, const UpdateTable table) {
  const UpdateBlock block = table.blocks[blockIdx.x];
  const UpdateEntry e = table.entries[block.entry];
  const UpdateNumbers n = e.grad != nullptr ? table.numbers[block.entry] : UpdateNumbers{};
  const float weight = e.average != nullptr ? *table.average_weight : 0.0f;
  const float scale = table.grad_scale != nullptr ? *table.grad_scale : 1.0f;
  const std::int64_t begin = static_cast<std::int64_t>(block.chunk) * kUpdateChunk;
  const std::int64_t end = min(begin + kUpdateChunk, e.size);
  const bool wide = aligned(e.value) && aligned(e.grad) && aligned(e.first) && aligned(e.second) && aligned(e.average);
  for (std::int64_t i = begin + threadIdx.x * kVector; i < end; i += kThreads * kVector) {
    if (wide && i + kVector <= end) {
      float4 value = load(e.value, i);
      if (e.grad != nullptr) {
        const float4 grad = load(e.grad, i);
        float4 first{}, second{};
        if constexpr (has_first<rule>) {
          first = load(e.first, i);
        }
        if constexpr (has_second<rule>) {
          second = load(e.second, i);
        }
        value.x = apply<rule>(c, n, value.x, scale * grad.x, first.x, second.x);
        value.y = apply<rule>(c, n, value.y, scale * grad.y, first.y, second.y);
        value.z = apply<rule>(c, n, value.z, scale * grad.z, first.z, second.z);
        value.w = apply<rule>(c, n, value.w, scale * grad.w, first.w, second.w);
        store(e.value, i, value);
        if constexpr (has_first<rule>) {
          store(e.first, i, first);
        }
        if constexpr (has_second<rule>) {
          store(e.second, i, second);
        }
      }
      if (e.average != nullptr) {
        float4 average = load(e.average, i);
        average.x += weight * (value.x - average.x);
        average.y += weight * (value.y - average.y);
        average.z += weight * (value.z - average.z);
        average.w += weight * (value.w - average.w);
        store(e.average, i, average);
      }
      continue;
    }
    for (std::int64_t k = i; k < min(i + kVector, end); ++k) {
      float value = e.value[k];
      if (e.grad != nullptr) {
        float first = 0.0f, second = 0.0f;
        if constexpr (has_first<rule>) {
          first = e.first[k];
        }
        if constexpr (has_second<rule>) {
          second = e.second[k];
        }
        value = apply<rule>(c, n, value, scale * e.grad[k], first, second);
        e.value[k] = value;
        if constexpr (has_first<rule>) {
          e.first[k] = first;
        }
        if constexpr (has_second<rule>) {
          e.second[k] = second;
        }
      }
      if (e.average != nullptr) {
        e.average[k] += weight * (value - e.average[k]);
      }
    }
  }
}

/// Of all threads of a block of kThreads, in thread 0.
__device__ __forceinline__ double block_sum(double sum) {
  __shared__ double warps[kThreads / kWarp];
  for (int step = kWarp / 2; step > 0; step /= 2) {
    sum += __shfl_xor_sync(0xffffffffU, sum, step);
  }
  if (threadIdx.x % kWarp == 0) {
    warps[threadIdx.x / kWarp] = sum;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int i = 1; i < kThreads / kWarp; ++i) {
      sum += warps[i];
    }
  }
  return sum;
}

__global__ void __launch_bounds__(kThreads) squares_kernel(const UpdateTable table, double* partial) {
  const UpdateBlock block = table.blocks[blockIdx.x];
  const UpdateEntry e = table.entries[block.entry];
  const std::int64_t begin = static_cast<std::int64_t>(block.chunk) * kUpdateChunk;
  const std::int64_t end = e.grad == nullptr ? begin : min(begin + kUpdateChunk, e.size);
  double sum = 0.0;
  for (std::int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
    const double value = e.grad[i];
    sum += value * value;
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = sum;
  }
}

__global__ void __launch_bounds__(kThreads)
    scale_kernel(const double* partial, int count, double max_norm, float* scale) {
  double sum = 0.0;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kThreads) {
    sum += partial[i];
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) {
    const double factor = max_norm / (sqrt(sum) + 1e-6);
    *scale = factor >= 1.0 ? 1.0f : static_cast<float>(factor);
  }
}

template <Rule rule>
cudaError_t launch_rule(const UpdateConstants& constants, const UpdateTable& table, cudaStream_t stream) {
  return launch(update_kernel<rule>, dim3(static_cast<unsigned>(table.block_count)), dim3(kThreads), 0, stream,
                constants, table);
}

}  // namespace

cudaError_t launch_update(Rule rule, const UpdateConstants& constants, const UpdateTable& table, cudaStream_t stream) {
  switch (rule) {
    case Rule::adam:
      return launch_rule<Rule::adam>(constants, table, stream);
    case Rule::sgd:
      return launch_rule<Rule::sgd>(constants, table, stream);
    case Rule::sgd_momentum:
      return launch_rule<Rule::sgd_momentum>(constants, table, stream);
    case Rule::rmsprop:
      return launch_rule<Rule::rmsprop>(constants, table, stream);
    case Rule::rmsprop_momentum:
      return launch_rule<Rule::rmsprop_momentum>(constants, table, stream);
  }
  return cudaErrorInvalidValue;
}

cudaError_t launch_grad_scale(const UpdateTable& table, double max_norm, double* partial, float* scale,
                              cudaStream_t stream) {
  const cudaError_t error =
      launch(squares_kernel, dim3(static_cast<unsigned>(table.block_count)), dim3(kThreads), 0, stream, table, partial);
  if (error != cudaSuccess) {
    return error;
  }
  return launch(scale_kernel, dim3(1), dim3(kThreads), 0, stream, partial, table.block_count, max_norm, scale);
}

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
