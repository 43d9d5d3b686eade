#pragma once

#include <ATen/core/Tensor.h>

#include "effnetv2/ops/cuda_namespace.h"
#include "effnetv2/ops/norm_act.h"

// norm_act() and norm_act_excite() on a card, on its current stream and without waiting for it, as far as they have
// kernels there: x float32 or bfloat16 [N, C, H, W], the rest float32. Equal shapes and values give equal bits.
namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {

/// Whether the functions below take x and norm.
bool has_norm_kernels(const at::Tensor& x, const Norm& norm);

/// \param in_place without `training`: x may be written over
/// \throws EnvironmentError where the CUDA kernels were not built
at::Tensor norm_act(const at::Tensor& x, const Norm& norm, Activation activation, const Residual& residual,
                    bool training, bool in_place);
at::Tensor norm_act_excite(const at::Tensor& x, const Norm& norm, const Excite& excite, bool training, bool in_place);

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
