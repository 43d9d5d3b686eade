#pragma once

#include <cstring>

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include "launch.h"

// Neighbouring channels of one position of a channels-last map, read and written in one access, computed in float32.
namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {

using Bfloat16 = __nv_bfloat16;

template <typename T, int count>
struct Packed;
template <>
struct Packed<float, 4> {
  using Type = float4;
};
template <>
struct Packed<Bfloat16, 8> {
  using Type = uint4;
};
template <>
struct Packed<Bfloat16, 4> {
  using Type = uint2;
};
template <typename T>
struct Packed<T, 1> {
  using Type = T;
};

/// As they lie in memory.
template <typename T, int count>
using PackedChannels = typename Packed<T, count>::Type;

/// The most channels that one access of 16 bytes takes.
template <typename T>
inline constexpr int kWidest = 16 / static_cast<int>(sizeof(T));

template <typename T, int count>
__device__ __forceinline__ PackedChannels<T, count> load_channels(const T* from) {
  return *reinterpret_cast<const PackedChannels<T, count>*>(from);
}

/// What lies outside of a map.
template <typename T, int count>
__device__ __forceinline__ PackedChannels<T, count> no_channels() {
  if constexpr (count == 1) {
    return T(0.0f);
  } else {
    return PackedChannels<T, count>{};
  }
}

template <typename T, int count>
__device__ __forceinline__ void unpack(const PackedChannels<T, count>& packed, float (&values)[count]) {
  if constexpr (count == 1) {
    values[0] = static_cast<float>(packed);
  } else if constexpr (sizeof(T) == sizeof(float)) {
    memcpy(values, &packed, sizeof(packed));
  } else {
    __nv_bfloat162 pairs[count / 2];
    memcpy(pairs, &packed, sizeof(packed));
#pragma unroll
    for (int i = 0; i < count / 2; ++i) {
      const float2 pair = __bfloat1622float2(pairs[i]);
      values[2 * i] = pair.x;
      values[2 * i + 1] = pair.y;
    }
  }
}

template <typename T, int count>
__device__ __forceinline__ void store_channels(T* to, const float (&values)[count]) {
  if constexpr (count == 1) {
    *to = T(values[0]);
  } else {
    PackedChannels<T, count> packed;
    if constexpr (sizeof(T) == sizeof(float)) {
      memcpy(&packed, values, sizeof(packed));
    } else {
      __nv_bfloat162 pairs[count / 2];
#pragma unroll
      for (int i = 0; i < count / 2; ++i) {
        pairs[i] = __floats2bfloat162_rn(values[2 * i], values[2 * i + 1]);
      }
      memcpy(&packed, pairs, sizeof(packed));
    }
    *reinterpret_cast<PackedChannels<T, count>*>(to) = packed;
  }
}

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
