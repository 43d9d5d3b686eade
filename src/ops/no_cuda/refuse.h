#pragma once

#include "effnetv2/core/error.h"

namespace effnetv2 {

[[noreturn]] inline void refuse_cuda() {
  throw EnvironmentError(
      "built without CUDA: configure with the preset \"cuda\" (LibTorch with CUDA and nvcc), or use --device cpu");
}

}  // namespace effnetv2
