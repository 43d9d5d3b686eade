#pragma once

#include "effnetv2/core/vector.h"

namespace effnetv2::EFFNETV2_CPU_LEVEL {
namespace {

/// A register of floats; its operators are element by element.
using Vector [[gnu::vector_size(kLanes * sizeof(float))]] = float;

/// V is Vector, or float for what a row has left over.
template <typename V>
constexpr int lanes = sizeof(V) / sizeof(float);

}  // namespace
}  // namespace effnetv2::EFFNETV2_CPU_LEVEL
