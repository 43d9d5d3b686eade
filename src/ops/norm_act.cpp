#include "effnetv2/ops/norm_act.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "effnetv2/ops/cuda_device.h"
#include "effnetv2/ops/cuda_norm_act.h"

#include "norm_rows.h"
#include "record.h"

namespace effnetv2 {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// What each image's branch is multiplied by: `keep`, float32 [N], or 1 where it is undefined.
class Factors {
 public:
  explicit Factors(const at::Tensor& keep) : values_(keep.defined() ? keep.data_ptr<float>() : nullptr) {}
  bool any() const { return values_ != nullptr; }
  float operator[](std::int64_t image) const { return any() ? values_[image] : 1.0f; }

 private:
  const float* values_;
};

at::Tensor normalise(const at::Tensor& x, const Rows& map, const at::Tensor& statistics, bool silu,
                     const at::Tensor& residual, const at::Tensor& keep, bool in_place) {
  EFFNETV2_RECORD("norm_act", x, x, residual);
  const Repeated scale = repeated(map, statistics, kScale), shift = repeated(map, statistics, kShift);
  const at::Tensor y = in_place ? x : at::empty_like(x, x.options(), at::MemoryFormat::ChannelsLast);
  const NormActKernels& kernel = norm_kernels(x);
  const Factors factors(keep);
  for_each_stretch(map, factors.any(), [&](std::int64_t, std::int64_t image, std::int64_t from, std::int64_t count) {
    kernel.apply({count, map.period, scale.data(), shift.data(), silu}, bytes_at(x, from), factors[image],
                 residual.defined() ? bytes_at(residual, from) : nullptr, bytes_to(y, from));
  });
  return y;
}

/// `residual` and `keep` are empty tensors where there are none.
struct NormActFunction : torch::autograd::Function<NormActFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& /*weight*/,
                            const at::Tensor& /*bias*/, const at::Tensor& residual, const at::Tensor& keep,
                            const Norm& norm, bool silu) {
    const Rows map(x);
    const at::Tensor statistics = batch_statistics(x, map, norm);
    const bool adds = residual.numel() > 0, scales = keep.numel() > 0;
    context->save_for_backward({x, statistics, keep});
    context->saved_data["silu"] = silu;
    context->saved_data["adds"] = adds;
    return normalise(x, map, statistics, silu, adds ? residual : at::Tensor(), scales ? keep : at::Tensor(),
                     /*in_place=*/false);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "norm_act: has no second derivative");
    const auto saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& statistics = saved[1];
    const at::Tensor keep = saved[2].numel() > 0 ? saved[2] : at::Tensor();
    const bool silu = context->saved_data["silu"].toBool();
    const at::Tensor dy = channels_last(grads[0]);
    EFFNETV2_RECORD("norm_act_backward", x, x, x, dy, dy);
    const Rows map(x);
    const NormActKernels& kernel = norm_kernels(x);
    const Repeated scale = repeated(map, statistics, kScale), shift = repeated(map, statistics, kShift),
                   mean = repeated(map, statistics, kMean);
    const auto rows = [&](std::int64_t count) { return NormRows{count, map.period, scale.data(), shift.data(), silu}; };
    Sums sums(map, map.chunks, 2);
    const Factors factors(keep);
    for_each_stretch(map, factors.any(),
                     [&](std::int64_t chunk, std::int64_t image, std::int64_t from, std::int64_t count) {
                       kernel.grad_sums(rows(count), bytes_at(x, from), bytes_at(dy, from), factors[image], mean.data(),
                                        sums.at(chunk, 0), sums.at(chunk, 1));
                     });
    const NormGrad norm(map, statistics, sums.total(0), sums.total(1));
    at::Tensor dx = at::empty_like(x, x.options(), at::MemoryFormat::ChannelsLast);
    for_each_stretch(map, factors.any(), [&](std::int64_t, std::int64_t image, std::int64_t from, std::int64_t count) {
      kernel.grad(rows(count), bytes_at(x, from), bytes_at(dy, from), factors[image], norm.slopes(),
                  bytes_to(dx, from));
    });
    return {dx,           norm.weight,  norm.bias,   context->saved_data["adds"].toBool() ? dy : at::Tensor(),
            at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

/// An absent tensor for Function::apply.
at::Tensor or_empty(const at::Tensor& x) {
  return x.defined() ? x : at::empty({0}, at::kFloat);
}

}  // namespace

at::Tensor reference_norm_act(const at::Tensor& x, const Norm& norm, Activation activation, const Residual& residual,
                              bool training) {
  at::Tensor y = at::batch_norm(x, norm.weight, norm.bias, norm.running_mean, norm.running_var, training, norm.momentum,
                                norm.eps, at::globalContext().userEnabledCuDNN());
  if (activation == Activation::silu) {
    y = at::silu(y);
  }
  if (!residual.x.defined()) {
    return y;
  }
  return residual.keep.defined()
             ? at::addcmul(residual.x, y, residual.keep.to(y.scalar_type()).view({-1, 1, 1, 1}), residual.scale)
             : at::add(residual.x, y, residual.scale);
}

namespace {

at::Tensor any_norm_act(const at::Tensor& x, const Norm& norm, Activation activation, const Residual& residual,
                        bool training, bool in_place) {
  const bool on_card = has_cuda_kernels() && cuda::has_norm_kernels(x, norm);
  const bool own = (on_card || has_norm_kernels(x, norm)) &&
                   (!residual.x.defined() || residual.x.scalar_type() == x.scalar_type()) &&
                   (training || !wants_gradient({x, norm.weight, norm.bias, residual.x}));
  if (own && on_card) {
    return cuda::norm_act(x, norm, activation, residual, training, in_place);
  }
  if (training) {
    count_batch(norm);
  }
  if (!own) {
    return reference_norm_act(x, norm, activation, residual, training);
  }
  TORCH_CHECK(!residual.keep.defined() || residual.x.defined(), "norm_act: keep without a residual");
  const at::Tensor map = channels_last(x);
  const at::Tensor added = residual.x.defined() ? channels_last(residual.x) : residual.x;
  const at::Tensor factors = residual.keep.defined() ? residual.keep * residual.scale : residual.keep;
  TORCH_CHECK(residual.keep.defined() || residual.scale == 1.0, "norm_act: a scale without keep");
  const bool silu = activation == Activation::silu;
  if (training) {
    return NormActFunction::apply(map, norm.weight, norm.bias, or_empty(added), or_empty(factors), norm, silu);
  }
  return normalise(map, Rows(map), running_statistics(norm), silu, added, factors, in_place);
}

}  // namespace

at::Tensor norm_act(const at::Tensor& x, const Norm& norm, Activation activation, const Residual& residual,
                    bool training) {
  return any_norm_act(x, norm, activation, residual, training, /*in_place=*/false);
}

at::Tensor norm_act_consuming(const at::Tensor& x, const Norm& norm, Activation activation, const Residual& residual,
                              bool training) {
  return any_norm_act(x, norm, activation, residual, training, /*in_place=*/true);
}

}  // namespace effnetv2
