#pragma once

#include "effnetv2/core/vector.h"

namespace effnetv2::EFFNETV2_CPU_LEVEL {
namespace {

using Floats [[gnu::vector_size(kLanes * 4)]] = float;
using Ints [[gnu::vector_size(kLanes * 4)]] = int;
using Shorts [[gnu::vector_size(kLanes * 2)]] = short;
using Bytes [[gnu::vector_size(kLanes)]] = unsigned char;

/// In two steps, as gcc does each with an instruction and one over both with code for each number.
inline Ints widened(const unsigned char* from) {
  return __builtin_convertvector(__builtin_convertvector(load<Bytes>(from), Shorts), Ints);
}

/// Vectors have no braces to be filled from one number.
template <typename V, typename T>
inline V all(T value) {
  return value - V{};
}

}  // namespace
}  // namespace effnetv2::EFFNETV2_CPU_LEVEL
