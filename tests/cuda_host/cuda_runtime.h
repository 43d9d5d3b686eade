#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "cuda_host/emulator.h"

// What the kernels use of cuda_runtime.h, as C++. emulator.h says how it runs.

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __restrict__ __restrict

#define threadIdx effnetv2::cuda_host::thread_index
#define blockIdx effnetv2::cuda_host::block_index
#define blockDim effnetv2::cuda_host::block_size
#define gridDim effnetv2::cuda_host::grid_size

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) double2 {
  double x, y;
};
constexpr float2 make_float2(float x, float y) {
  return {x, y};
}
constexpr float4 make_float4(float x, float y, float z, float w) {
  return {x, y, z, w};
}
constexpr uint2 make_uint2(unsigned x, unsigned y) {
  return {x, y};
}
constexpr uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) {
  return {x, y, z, w};
}

// Barriers, shuffles, memory.

inline void __syncthreads() {
  effnetv2::cuda_host::block_barrier();
}
inline void __syncwarp(std::uint32_t lanes = 0xffffffffU) {
  effnetv2::cuda_host::warp_barrier(lanes);
}
inline void __threadfence() {}

template <typename T>
T cuda_host_exchange(std::uint32_t lanes, T value, unsigned from) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(std::uint64_t));
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = effnetv2::cuda_host::exchange(lanes, bits, from);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}
template <typename T>
T __shfl_sync(std::uint32_t lanes, T value, int from, int width = 32) {
  const unsigned lane = effnetv2::cuda_host::lane(), first = lane / width * width;
  return cuda_host_exchange(lanes, value, first + static_cast<unsigned>(from) % width);
}
template <typename T>
T __shfl_xor_sync(std::uint32_t lanes, T value, int mask, int width = 32) {
  const unsigned lane = effnetv2::cuda_host::lane(), from = lane ^ static_cast<unsigned>(mask);
  return cuda_host_exchange(lanes, value, from / width == lane / width ? from : lane);
}
template <typename T>
T __shfl_down_sync(std::uint32_t lanes, T value, unsigned delta, int width = 32) {
  const unsigned lane = effnetv2::cuda_host::lane(), from = lane + delta;
  return cuda_host_exchange(lanes, value, from / width == lane / width ? from : lane);
}

template <typename T>
T __ldg(const T* from) {
  return *from;
}
template <typename T>
T atomicAdd(T* to, T value) {
  static_assert(std::is_integral_v<T>, "sums of floats would depend on the order of blocks");
  const T before = *to;
  *to += value;
  return before;
}

// Numbers.

template <typename A, typename B>
constexpr std::common_type_t<A, B> min(A a, B b) {
  using T = std::common_type_t<A, B>;
  return std::min<T>(a, b);
}
template <typename A, typename B>
constexpr std::common_type_t<A, B> max(A a, B b) {
  using T = std::common_type_t<A, B>;
  return std::max<T>(a, b);
}
#define __expf expf
inline float rsqrtf(float x) {
  return 1.0f / std::sqrt(x);
}
inline float __fdividef(float a, float b) {
  return a / b;
}
inline float __frcp_rn(float x) {
  return 1.0f / x;
}
inline unsigned __float_as_uint(float x) {
  unsigned bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}
inline float __uint_as_float(unsigned bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

// The host's side.

using cudaStream_t = struct cuda_host_stream*;
enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidValue = 1, cudaErrorInvalidConfiguration = 9 };
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };

inline const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess ? "no error" : "invalid";
}
inline cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t) {
  std::memset(to, value, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t) {
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}
