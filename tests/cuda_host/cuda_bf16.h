#pragma once

#include "cuda_runtime.h"

// What the kernels use of cuda_bf16.h: the upper half of a float32, rounded to the nearest, ties to even.

struct __nv_bfloat16 {
  std::uint16_t bits;

  __nv_bfloat16() = default;
  explicit __nv_bfloat16(float x) {
    const unsigned wide = __float_as_uint(x);
    bits = static_cast<std::uint16_t>(x != x ? 0x7fff : (wide + 0x7fffU + (wide >> 16 & 1U)) >> 16);
  }
  operator float() const { return __uint_as_float(static_cast<unsigned>(bits) << 16); }
};
struct alignas(4) __nv_bfloat162 {
  __nv_bfloat16 x, y;
};

inline __nv_bfloat16 __float2bfloat16(float x) {
  return __nv_bfloat16(x);
}
inline __nv_bfloat16 __float2bfloat16_rn(float x) {
  return __nv_bfloat16(x);
}
inline float __bfloat162float(__nv_bfloat16 x) {
  return x;
}
inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y) {
  return {__nv_bfloat16(x), __nv_bfloat16(y)};
}
inline __nv_bfloat162 __float22bfloat162_rn(float2 x) {
  return {__nv_bfloat16(x.x), __nv_bfloat16(x.y)};
}
inline float2 __bfloat1622float2(__nv_bfloat162 x) {
  return {x.x, x.y};
}
inline float __low2float(__nv_bfloat162 x) {
  return x.x;
}
inline float __high2float(__nv_bfloat162 x) {
  return x.y;
}
