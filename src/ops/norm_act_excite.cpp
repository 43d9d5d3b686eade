#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "effnetv2/core/cpu_features.h"
#include "effnetv2/ops/cuda_device.h"
#include "effnetv2/ops/cuda_norm_act.h"
#include "effnetv2/ops/dense.h"
#include "effnetv2/ops/norm_act.h"

#include "norm_rows.h"
#include "record.h"

namespace effnetv2 {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Of squeeze-excite's small tensors, all float32 with a row for each image.
struct Gates {
  at::Tensor pooled;    ///< [N, C], mean of y over the map
  at::Tensor squeezed;  ///< [N, S], before SiLU
  at::Tensor gate;      ///< [N, C]
};

/// A row for each image as a map of one position, for the kernels of 1x1 convolutions.
at::Tensor as_map(const at::Tensor& rows) {
  return rows.view({rows.size(0), rows.size(1), 1, 1});
}

/// rows * weight^T + bias, float32 [N, out]; weight [out, in, 1, 1].
at::Tensor product(const at::Tensor& rows, const at::Tensor& weight, const at::Tensor& bias) {
  return dense_forward(as_map(rows), weight, bias, 1, 0, cpu_level()).view({rows.size(0), weight.size(0)});
}

/// The gradients of product() by its rows and its weight.
at::Tensor product_grad_rows(const at::Tensor& grad, const at::Tensor& rows, const at::Tensor& weight) {
  return dense_grad_input(as_map(grad), as_map(rows), weight, 1, 0, cpu_level()).view(rows.sizes());
}
at::Tensor product_grad_weight(const at::Tensor& grad, const at::Tensor& rows, const at::Tensor& weight) {
  return dense_grad_weight(as_map(grad), as_map(rows), weight, 1, 0, cpu_level());
}

/// Images in parallel: body(image, first value, number of values).
template <typename Body>
void for_each_image(const Rows& map, const Body& body) {
  const std::int64_t values = map.rows / map.images * map.channels;
  const std::int64_t grain = std::max<std::int64_t>(1, 8192 / values);
  at::parallel_for(0, map.images, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t image = begin; image < end; ++image) {
      body(image, image * values, values);
    }
  });
}

/// A sum over an image's rows for each channel, added up by work(sum), to out [C].
template <typename Work>
void sum_channels(const Rows& map, float* out, const Work& work) {
  std::fill_n(out, map.channels, 0.0f);
  if (map.period == map.channels) {
    work(out);
    return;
  }
  std::vector<float> sum(static_cast<std::size_t>(map.period), 0.0f);
  work(sum.data());
  for (std::int64_t i = 0; i < map.period; ++i) {
    out[i % map.channels] += sum[static_cast<std::size_t>(i)];
  }
}

Gates make_gates(const at::Tensor& x, const Rows& map, const Repeated& scale, const Repeated& shift,
                 const Excite& excite) {
  EFFNETV2_RECORD("excite_gates", x);
  const NormActKernels& kernel = norm_kernels(x);
  Gates gates;
  gates.pooled = at::empty({map.images, map.channels}, at::kFloat);
  auto* pooled = gates.pooled.data_ptr<float>();
  for_each_image(map, [&](std::int64_t image, std::int64_t from, std::int64_t count) {
    sum_channels(map, pooled + image * map.channels, [&](float* sum) {
      kernel.pool({count, map.period, scale.data(), shift.data(), true}, bytes_at(x, from), sum);
    });
  });
  gates.pooled.div_(static_cast<double>(map.rows / map.images));
  gates.squeezed = product(gates.pooled, excite.squeeze_weight, excite.squeeze_bias);
  gates.gate = product(at::silu(gates.squeezed), excite.excite_weight, excite.excite_bias).sigmoid_();
  return gates;
}

at::Tensor apply_gates(const at::Tensor& x, const Rows& map, const Repeated& scale, const Repeated& shift,
                       const Gates& gates, bool in_place) {
  EFFNETV2_RECORD("excite_apply", x, x);
  const NormActKernels& kernel = norm_kernels(x);
  const at::Tensor y = in_place ? x : at::empty_like(x, x.options(), at::MemoryFormat::ChannelsLast);
  const auto* gate = gates.gate.data_ptr<float>();
  for_each_image(map, [&](std::int64_t image, std::int64_t from, std::int64_t count) {
    const Repeated row(map, gate + image * map.channels);
    kernel.gated({count, map.period, scale.data(), shift.data(), true}, bytes_at(x, from), row.data(),
                 bytes_to(y, from));
  });
  return y;
}

struct NormActExciteFunction : torch::autograd::Function<NormActExciteFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& /*weight*/,
                            const at::Tensor& /*bias*/, const at::Tensor& squeeze_weight,
                            const at::Tensor& /*squeeze_bias*/, const at::Tensor& excite_weight,
                            const at::Tensor& /*excite_bias*/, const Norm& norm, const Excite& excite) {
    const Rows map(x);
    const at::Tensor statistics = batch_statistics(x, map, norm);
    const Repeated scale = repeated(map, statistics, kScale), shift = repeated(map, statistics, kShift);
    const Gates gates = make_gates(x, map, scale, shift, excite);
    context->save_for_backward(
        {x, statistics, gates.pooled, gates.squeezed, gates.gate, squeeze_weight, excite_weight});
    return apply_gates(x, map, scale, shift, gates, /*in_place=*/false);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "norm_act_excite: has no second derivative");
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &statistics = saved[1], &pooled = saved[2], &squeezed = saved[3], &gate = saved[4];
    const at::Tensor &squeeze_weight = saved[5], &excite_weight = saved[6];
    const at::Tensor dy = channels_last(grads[0]);
    EFFNETV2_RECORD("norm_act_excite_backward", x, x, x, dy, dy);
    const Rows map(x);
    const NormActKernels& kernel = norm_kernels(x);
    const Repeated scale = repeated(map, statistics, kScale), shift = repeated(map, statistics, kShift),
                   mean = repeated(map, statistics, kMean);
    // three passes: the gates' own gradients, the sums of dz over the batch, dx. One for all sums would keep five
    // numbers for each image and channel, more than there are values on small maps.
    const at::Tensor d_gate = at::empty_like(gate);
    auto* out = d_gate.data_ptr<float>();
    for_each_image(map, [&](std::int64_t image, std::int64_t from, std::int64_t count) {
      sum_channels(map, out + image * map.channels, [&](float* sum) {
        kernel.gate_sums({count, map.period, scale.data(), shift.data(), true}, bytes_at(x, from), bytes_at(dy, from),
                         sum);
      });
    });
    const at::Tensor excited = at::silu(squeezed);
    const at::Tensor d_excite = at::sigmoid_backward(d_gate, gate);
    const at::Tensor d_squeeze = at::silu_backward(product_grad_rows(d_excite, excited, excite_weight), squeezed);
    const at::Tensor d_pooled =
        product_grad_rows(d_squeeze, pooled, squeeze_weight).div_(static_cast<double>(map.rows / map.images));
    const auto *gates = gate.data_ptr<float>(), *shares = d_pooled.data_ptr<float>();
    Sums sums(map, map.chunks, 2);
    for_each_stretch(map, true, [&](std::int64_t chunk, std::int64_t image, std::int64_t from, std::int64_t count) {
      const Repeated row(map, gates + image * map.channels), share(map, shares + image * map.channels);
      kernel.gated_sums({count, map.period, scale.data(), shift.data(), true}, bytes_at(x, from), bytes_at(dy, from),
                        row.data(), share.data(), mean.data(), sums.at(chunk, 0), sums.at(chunk, 1));
    });
    const NormGrad norm(map, statistics, sums.total(0), sums.total(1));
    at::Tensor dx = at::empty_like(x, x.options(), at::MemoryFormat::ChannelsLast);
    for_each_stretch(map, true, [&](std::int64_t, std::int64_t image, std::int64_t from, std::int64_t count) {
      const Repeated row(map, gates + image * map.channels), share(map, shares + image * map.channels);
      kernel.gated_grad({count, map.period, scale.data(), shift.data(), true}, bytes_at(x, from), bytes_at(dy, from),
                        row.data(), share.data(), norm.slopes(), bytes_to(dx, from));
    });
    return {dx,
            norm.weight,
            norm.bias,
            product_grad_weight(d_squeeze, pooled, squeeze_weight),
            d_squeeze.sum(0),
            product_grad_weight(d_excite, excited, excite_weight),
            d_excite.sum(0),
            at::Tensor(),
            at::Tensor()};
  }
};

}  // namespace

at::Tensor reference_norm_act_excite(const at::Tensor& x, const Norm& norm, const Excite& excite, bool training) {
  return reference_excite(reference_norm_act(x, norm, Activation::silu, {}, training), excite);
}

at::Tensor reference_excite(const at::Tensor& y, const Excite& excite) {
  const at::Tensor pooled = y.mean({2, 3}, /*keepdim=*/true).to(excite.squeeze_weight.scalar_type());
  const at::Tensor squeezed = at::silu(at::conv2d(pooled, excite.squeeze_weight, excite.squeeze_bias));
  return y * at::conv2d(squeezed, excite.excite_weight, excite.excite_bias).sigmoid().to(y.scalar_type());
}

namespace {

at::Tensor any_norm_act_excite(const at::Tensor& x, const Norm& norm, const Excite& excite, bool training,
                               bool in_place) {
  const bool on_card = has_cuda_kernels() && cuda::has_norm_kernels(x, norm);
  const bool own = (on_card || has_norm_kernels(x, norm)) &&
                   (training || !wants_gradient({x, norm.weight, norm.bias, excite.squeeze_weight, excite.squeeze_bias,
                                                 excite.excite_weight, excite.excite_bias}));
  if (own && on_card) {
    return cuda::norm_act_excite(x, norm, excite, training, in_place);
  }
  if (training) {
    count_batch(norm);
  }
  if (!own) {
    return reference_norm_act_excite(x, norm, excite, training);
  }
  const at::Tensor map = channels_last(x);
  if (training) {
    return NormActExciteFunction::apply(map, norm.weight, norm.bias, excite.squeeze_weight, excite.squeeze_bias,
                                        excite.excite_weight, excite.excite_bias, norm, excite);
  }
  const Rows rows(map);
  const at::Tensor statistics = running_statistics(norm);
  const Repeated scale = repeated(rows, statistics, kScale), shift = repeated(rows, statistics, kShift);
  return apply_gates(map, rows, scale, shift, make_gates(map, rows, scale, shift, excite), in_place);
}

}  // namespace

at::Tensor norm_act_excite(const at::Tensor& x, const Norm& norm, const Excite& excite, bool training) {
  return any_norm_act_excite(x, norm, excite, training, /*in_place=*/false);
}

at::Tensor norm_act_excite_consuming(const at::Tensor& x, const Norm& norm, const Excite& excite, bool training) {
  return any_norm_act_excite(x, norm, excite, training, /*in_place=*/true);
}

}  // namespace effnetv2
