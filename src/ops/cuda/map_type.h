#pragma once

#include "effnetv2/ops/cuda_namespace.h"

namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {

enum class MapType { float32, bfloat16 };

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
