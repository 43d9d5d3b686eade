#pragma once

#include <ATen/core/Tensor.h>

namespace effnetv2 {

enum class Activation { none, silu };

/// A BatchNorm2d layer: its tensors, each float32 [C], and numbers.
struct Norm {
  at::Tensor weight, bias;
  at::Tensor running_mean, running_var;  ///< training moves them by `momentum`; the variance there is the unbiased one
  double eps = 1e-5;
  double momentum = 0.1;
  at::Tensor batches = {};  ///< int64 scalar; training adds 1. Undefined: nothing is counted
};

/// What is added after the activation in a residual block with stochastic depth ("row" mode).
struct Residual {
  at::Tensor x;        ///< as the result; undefined: nothing is added
  at::Tensor keep;     ///< float32 [N], 1 where an image's branch is kept, 0 where not; undefined: all are
  double scale = 1.0;  ///< of the branches that are kept
};

/// BatchNorm, the activation and the residual as one operation: act(norm(x)) * keep * scale + residual.x. With
/// `training` the batch's statistics count, in two passes over memory forward and two backward, else the running ones,
/// in one pass. Keeps x alone for backward. \param x float32 or bfloat16 [N, C, H, W]; for training more than one value
/// per channel \return [N, C, H, W], dtype of x, in channels_last; statistics and sums are float32 and float64 whatever
/// x is Differentiable once, in x, weight, bias and residual.x. The bits do not depend on the number of threads. On the
/// CPU, and on a card with our CUDA kernels. Other dtypes, and gradients without `training`, take reference_norm_act().
at::Tensor norm_act(const at::Tensor& x, const Norm& norm, Activation activation, const Residual& residual,
                    bool training);

/// norm_act() of an `x` that nobody needs afterwards: without `training` and without a gradient it is written over.
at::Tensor norm_act_consuming(const at::Tensor& x, const Norm& norm, Activation activation, const Residual& residual,
                              bool training);

/// The plain twin, in ATen's operations.
at::Tensor reference_norm_act(const at::Tensor& x, const Norm& norm, Activation activation, const Residual& residual,
                              bool training);

/// Squeeze-excite's two 1x1 convolutions: squeeze [S, C, 1, 1] and [S], excite [C, S, 1, 1] and [C], all float32.
struct Excite {
  at::Tensor squeeze_weight, squeeze_bias, excite_weight, excite_bias;
};

/// BatchNorm, SiLU and squeeze-excite as one operation: with y = silu(norm(x)),
/// y * sigmoid(excite(silu(squeeze(mean of y over the map))))
/// in three passes over memory forward (two without `training`) and two backward. Keeps x alone of what is large.
/// Shapes, dtypes and gradients as in norm_act(); differentiable in Excite's tensors too.
at::Tensor norm_act_excite(const at::Tensor& x, const Norm& norm, const Excite& excite, bool training);

/// norm_act_excite() likewise.
at::Tensor norm_act_excite_consuming(const at::Tensor& x, const Norm& norm, const Excite& excite, bool training);

/// The part of it behind SiLU, in ATen's operations.
at::Tensor reference_excite(const at::Tensor& y, const Excite& excite);

/// Its plain twin.
at::Tensor reference_norm_act_excite(const at::Tensor& x, const Norm& norm, const Excite& excite, bool training);

}  // namespace effnetv2
