#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "effnetv2/ops/cuda_norm_act.h"

#include "../record.h"
#include "norm_map.h"

namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Residual and keep may be undefined or empty.
at::Tensor normalise(const at::Tensor& x, const at::Tensor& statistics, bool silu, const at::Tensor& residual,
                     const at::Tensor& keep, bool in_place) {
  EFFNETV2_RECORD("norm_act", x, x, residual);
  const at::Tensor y = in_place ? x : like_map(x);
  const bool adds = residual.defined() && residual.numel() > 0;
  check_launch(
      norm_apply(norm_map(x), statistics_in(statistics),
                 {x.data_ptr(), silu, pointer(keep), nullptr, adds ? residual.data_ptr() : nullptr, y.data_ptr()},
                 current_stream(x)));
  return y;
}

/// `residual` and `keep` are empty tensors where there are none.
struct NormActFunction : torch::autograd::Function<NormActFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& /*weight*/,
                            const at::Tensor& /*bias*/, const at::Tensor& residual, const at::Tensor& keep,
                            const Norm& norm, bool silu) {
    const DeviceGuard device(x);
    const at::Tensor statistics = statistics_of_batch(x, norm);
    context->save_for_backward({x, statistics, keep});
    context->saved_data["silu"] = silu;
    context->saved_data["adds"] = residual.numel() > 0;
    return normalise(x, statistics, silu, residual, keep, /*in_place=*/false);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "norm_act: has no second derivative");
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &statistics = saved[1], &keep = saved[2];
    const DeviceGuard device(x);
    const at::Tensor dy = norm_input(grads[0]);
    EFFNETV2_RECORD("norm_act_backward", x, x, x, dy, dy);
    const NormGradients norm =
        norm_backward(x, statistics, dy, context->saved_data["silu"].toBool(), {pointer(keep), nullptr, nullptr});
    return {norm.x,       norm.weight,  norm.bias,   context->saved_data["adds"].toBool() ? dy : at::Tensor(),
            at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

bool has_norm_kernels(const at::Tensor& x, const Norm& norm) {
  return x.device().type() == kDevice && x.dim() == 4 && x.numel() > 0 &&
         (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16) &&
         x.size(0) * x.size(2) * x.size(3) <= std::numeric_limits<int>::max() &&
         norm.weight.scalar_type() == at::kFloat && norm.weight.device() == x.device() &&
         (!norm.batches.defined() || norm.batches.device() == x.device());
}

at::Tensor norm_act(const at::Tensor& x, const Norm& norm, Activation activation, const Residual& residual,
                    bool training, bool in_place) {
  TORCH_CHECK(!residual.keep.defined() || residual.x.defined(), "norm_act: keep without a residual");
  TORCH_CHECK(residual.keep.defined() || residual.scale == 1.0, "norm_act: a scale without keep");
  const DeviceGuard device(x);
  const at::Tensor none = floats(x, {0});
  const at::Tensor map = norm_input(x);
  const at::Tensor added = residual.x.defined() ? norm_input(residual.x) : none;
  const at::Tensor factors = residual.keep.defined() ? residual.keep * residual.scale : none;
  const bool silu = activation == Activation::silu;
  if (training) {
    return NormActFunction::apply(map, norm.weight, norm.bias, added, factors, norm, silu);
  }
  return normalise(map, statistics_of_running(map, norm), silu, added, factors, in_place);
}

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
