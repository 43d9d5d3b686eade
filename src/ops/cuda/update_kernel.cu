#include "launch.h"
#include "update_kernel.h"

namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {
namespace {

constexpr int kThreads = 256;
constexpr int kVector = 4;

/// The rules of ops/optimizer_kernels.h on one element; returns the new value.
template <Rule rule>
__device__ __forceinline__ float apply(const UpdateArguments& a, const Entry& e, float value, float grad, float& first,
                                       float& second) {
  if constexpr (rule == Rule::adam) {
    const float p = value * e.shrink;
    const float g = grad + e.l2 * p;
    first = a.keep1 * first + a.take1 * g;
    second = a.keep2 * second + a.take2 * (g * g);
    return p - e.step_size * (first / (sqrtf(second) * e.correction + a.eps));
  } else if constexpr (rule == Rule::sgd) {
    return value - e.step_size * (grad + e.l2 * value);
  } else if constexpr (rule == Rule::sgd_momentum) {
    const float g = grad + e.l2 * value;
    first = a.momentum * first + g;
    return value - e.step_size * (a.nesterov ? g + a.momentum * first : first);
  } else {
    const float g = grad + e.l2 * value;
    first = a.keep2 * first + a.take2 * (g * g);
    const float direction = g / (sqrtf(first) + a.eps);
    if constexpr (rule == Rule::rmsprop) {
      return value - e.step_size * direction;
    } else {
      second = a.momentum * second + direction;
      return value - e.step_size * second;
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

/// Largest i with first_block[i] <= block.
__device__ __forceinline__ int entry_of(const UpdateArguments& a, int block) {
  int low = 0;
  int high = a.count;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (a.first_block[middle] <= block) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

template <Rule rule>
__global__ void __launch_bounds__(kThreads) update_kernel(const __grid_constant__ UpdateArguments a) {
  const int block = static_cast<int>(blockIdx.x);
  const int index = entry_of(a, block);
  const Entry& e = a.entries[index];
  const std::int64_t begin = static_cast<std::int64_t>(block - a.first_block[index]) * kChunk;
  const std::int64_t end = min(begin + kChunk, e.size);
  const bool wide = aligned(e.value) && aligned(e.grad) && aligned(e.first) && aligned(e.second);
  for (std::int64_t i = begin + threadIdx.x * kVector; i < end; i += kThreads * kVector) {
    if (wide && i + kVector <= end) {
      float4 value = *reinterpret_cast<const float4*>(e.value + i);
      const float4 grad = *reinterpret_cast<const float4*>(e.grad + i);
      float4 first{}, second{};
      if constexpr (has_first<rule>) {
        first = *reinterpret_cast<const float4*>(e.first + i);
      }
      if constexpr (has_second<rule>) {
        second = *reinterpret_cast<const float4*>(e.second + i);
      }
      value.x = apply<rule>(a, e, value.x, grad.x, first.x, second.x);
      value.y = apply<rule>(a, e, value.y, grad.y, first.y, second.y);
      value.z = apply<rule>(a, e, value.z, grad.z, first.z, second.z);
      value.w = apply<rule>(a, e, value.w, grad.w, first.w, second.w);
      *reinterpret_cast<float4*>(e.value + i) = value;
      if constexpr (has_first<rule>) {
        *reinterpret_cast<float4*>(e.first + i) = first;
      }
      if constexpr (has_second<rule>) {
        *reinterpret_cast<float4*>(e.second + i) = second;
      }
      continue;
    }
    for (std::int64_t k = i; k < min(i + kVector, end); ++k) {
      float first = 0.0f, second = 0.0f;
      if constexpr (has_first<rule>) {
        first = e.first[k];
      }
      if constexpr (has_second<rule>) {
        second = e.second[k];
      }
      e.value[k] = apply<rule>(a, e, e.value[k], e.grad[k], first, second);
      if constexpr (has_first<rule>) {
        e.first[k] = first;
      }
      if constexpr (has_second<rule>) {
        e.second[k] = second;
      }
    }
  }
}

template <Rule rule>
cudaError_t launch_rule(const UpdateArguments& arguments, cudaStream_t stream) {
  return launch(update_kernel<rule>, dim3(static_cast<unsigned>(arguments.first_block[arguments.count])),
                dim3(kThreads), 0, stream, arguments);
}

}  // namespace

cudaError_t launch_update(Rule rule, const UpdateArguments& arguments, cudaStream_t stream) {
  switch (rule) {
    case Rule::adam:
      return launch_rule<Rule::adam>(arguments, stream);
    case Rule::sgd:
      return launch_rule<Rule::sgd>(arguments, stream);
    case Rule::sgd_momentum:
      return launch_rule<Rule::sgd_momentum>(arguments, stream);
    case Rule::rmsprop:
      return launch_rule<Rule::rmsprop>(arguments, stream);
    case Rule::rmsprop_momentum:
      return launch_rule<Rule::rmsprop_momentum>(arguments, stream);
  }
  return cudaErrorInvalidValue;
}

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
