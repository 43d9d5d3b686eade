#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/silu.h>

namespace effnetv2 {

/// SiLU of a tensor that nobody else needs: in place where no gradient wants its input back.
inline at::Tensor silu_of(at::Tensor x) {
  return x.requires_grad() ? at::silu(x) : at::silu_(x);
}

}  // namespace effnetv2
