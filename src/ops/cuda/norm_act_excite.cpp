#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "effnetv2/ops/cuda_norm_act.h"

#include "../record.h"
#include "norm_map.h"

namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Of squeeze-excite's small tensors, all float32 with a row for each image.
struct Gates {
  at::Tensor pooled;    ///< [N, C], mean of silu(z) over the map
  at::Tensor squeezed;  ///< [N, S], before SiLU
  at::Tensor gate;      ///< [N, C]
};

/// A 1x1 filter as the matrix that it is.
at::Tensor matrix(const at::Tensor& weight) {
  return weight.view({weight.size(0), weight.size(1)});
}

/// Of each image and channel, [N, C]: the mean of silu(z), or with dy the sum of dy * silu(z).
at::Tensor pool(const at::Tensor& x, const at::Tensor& statistics, const at::Tensor& dy) {
  const at::Tensor out = floats(x, {x.size(0), x.size(1)});
  check_launch(norm_pool(norm_map(x), statistics_in(statistics), x.data_ptr(), dy.defined() ? dy.data_ptr() : nullptr,
                         out.data_ptr<float>(), current_stream(x)));
  return out;
}

Gates make_gates(const at::Tensor& x, const at::Tensor& statistics, const Excite& excite) {
  EFFNETV2_RECORD("excite_gates", x);
  Gates gates;
  gates.pooled = pool(x, statistics, {});
  gates.squeezed = at::addmm(excite.squeeze_bias, gates.pooled, matrix(excite.squeeze_weight).t());
  gates.gate = at::addmm(excite.excite_bias, at::silu(gates.squeezed), matrix(excite.excite_weight).t()).sigmoid_();
  return gates;
}

at::Tensor apply_gates(const at::Tensor& x, const at::Tensor& statistics, const at::Tensor& gate, bool in_place) {
  EFFNETV2_RECORD("excite_apply", x, x);
  const at::Tensor y = in_place ? x : like_map(x);
  check_launch(norm_apply(norm_map(x), statistics_in(statistics),
                          {x.data_ptr(), true, nullptr, gate.data_ptr<float>(), nullptr, y.data_ptr()},
                          current_stream(x)));
  return y;
}

struct NormActExciteFunction : torch::autograd::Function<NormActExciteFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& /*weight*/,
                            const at::Tensor& /*bias*/, const at::Tensor& squeeze_weight,
                            const at::Tensor& /*squeeze_bias*/, const at::Tensor& excite_weight,
                            const at::Tensor& /*excite_bias*/, const Norm& norm, const Excite& excite) {
    const DeviceGuard device(x);
    const at::Tensor statistics = statistics_of_batch(x, norm);
    const Gates gates = make_gates(x, statistics, excite);
    context->save_for_backward(
        {x, statistics, gates.pooled, gates.squeezed, gates.gate, squeeze_weight, excite_weight});
    return apply_gates(x, statistics, gates.gate, /*in_place=*/false);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "norm_act_excite: has no second derivative");
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &statistics = saved[1], &pooled = saved[2], &squeezed = saved[3], &gate = saved[4];
    const at::Tensor &squeeze_weight = saved[5], &excite_weight = saved[6];
    const DeviceGuard device(x);
    const at::Tensor dy = norm_input(grads[0]);
    EFFNETV2_RECORD("norm_act_excite_backward", x, x, x, dy, dy);
    const at::Tensor excited = at::silu(squeezed);
    const at::Tensor d_excite = at::sigmoid_backward(pool(x, statistics, dy), gate);
    const at::Tensor d_squeeze = at::silu_backward(at::mm(d_excite, matrix(excite_weight)), squeezed);
    const at::Tensor share = at::mm(d_squeeze, matrix(squeeze_weight)).div_(static_cast<double>(x.size(2) * x.size(3)));
    const NormGradients norm =
        norm_backward(x, statistics, dy, /*silu=*/true, {nullptr, gate.data_ptr<float>(), share.data_ptr<float>()});
    return {norm.x,           norm.weight,
            norm.bias,        at::mm(d_squeeze.t(), pooled).view(squeeze_weight.sizes()),
            d_squeeze.sum(0), at::mm(d_excite.t(), excited).view(excite_weight.sizes()),
            d_excite.sum(0),  at::Tensor(),
            at::Tensor()};
  }
};

}  // namespace

at::Tensor norm_act_excite(const at::Tensor& x, const Norm& norm, const Excite& excite, bool training, bool in_place) {
  const DeviceGuard device(x);
  const at::Tensor map = norm_input(x);
  if (training) {
    return NormActExciteFunction::apply(map, norm.weight, norm.bias, excite.squeeze_weight, excite.squeeze_bias,
                                        excite.excite_weight, excite.excite_bias, norm, excite);
  }
  const at::Tensor statistics = statistics_of_running(map, norm);
  return apply_gates(map, statistics, make_gates(map, statistics, excite).gate, in_place);
}

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
