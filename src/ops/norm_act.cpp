#include "effnetv2/ops/norm_act.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "effnetv2/ops/cpu_features.h"

#include "cpu/norm_act.h"
#include "record.h"

namespace effnetv2 {

namespace baseline {
extern const NormActKernels norm_act_kernels[2];
}
#ifdef __x86_64__
namespace avx2 {
extern const NormActKernels norm_act_kernels[2];
}
namespace avx512 {
extern const NormActKernels norm_act_kernels[2];
}
#endif

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

const NormActKernels& kernels(const at::Tensor& x) {
  const int storage = x.scalar_type() == at::kBFloat16 ? 1 : 0;
#ifdef __x86_64__
  const CpuLevel level = cpu_level();
  if (level == CpuLevel::avx512) {
    return avx512::norm_act_kernels[storage];
  }
  if (level == CpuLevel::avx2) {
    return avx2::norm_act_kernels[storage];
  }
#endif
  return baseline::norm_act_kernels[storage];
}

at::Tensor channels_last(const at::Tensor& x) {
  return x.contiguous(at::MemoryFormat::ChannelsLast);
}

bool has_kernels(const at::Tensor& x, const Norm& norm) {
  return x.device().is_cpu() && x.dim() == 4 && x.numel() > 0 &&
         (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16) && norm.weight.scalar_type() == at::kFloat;
}

/// A map as rows of channels, and how rows are shared out. All follows from the shape, and so do the bits of sums.
struct Rows {
  std::int64_t images, rows, channels, period, chunks;

  explicit Rows(const at::Tensor& x) : images(x.size(0)), rows(x.size(0) * x.size(2) * x.size(3)), channels(x.size(1)) {
    constexpr std::int64_t kWidest = 16;  // lanes of the widest register
    constexpr std::int64_t kGrain = 32768, kMostChunks = 32;
    period = channels * kWidest / std::gcd(channels, kWidest);
    chunks = std::clamp<std::int64_t>(rows * channels / kGrain, 1, std::min(kMostChunks, rows));
  }
  std::int64_t row_of(std::int64_t chunk) const { return rows * chunk / chunks; }
};

/// What a channel needs, repeated over a period.
std::vector<float> repeated(const Rows& map, const float* values) {
  std::vector<float> result(static_cast<std::size_t>(map.period));
  for (std::int64_t i = 0; i < map.period; i += map.channels) {
    std::copy_n(values, map.channels, result.begin() + i);
  }
  return result;
}
std::vector<float> repeated(const Rows& map, const at::Tensor& values) {
  return repeated(map, values.data_ptr<float>());
}

/// Partial sums of chunks, `kinds` of them, [chunks, kinds, period].
class Sums {
 public:
  Sums(const Rows& map, std::int64_t chunks, std::int64_t kinds)
      : map_(map),
        chunks_(chunks),
        kinds_(kinds),
        values_(static_cast<std::size_t>(chunks * kinds * map.period), 0.0f) {}

  float* at(std::int64_t chunk, std::int64_t kind) { return values_.data() + (chunk * kinds_ + kind) * map_.period; }

  /// Over all chunks, for each channel.
  std::vector<double> total(std::int64_t kind) const {
    std::vector<double> sum(static_cast<std::size_t>(map_.channels), 0.0);
    for (std::int64_t chunk = 0; chunk < chunks_; ++chunk) {
      for (std::int64_t i = 0; i < map_.period; i += map_.channels) {
        const float* from = values_.data() + (chunk * kinds_ + kind) * map_.period + i;
        for (std::int64_t c = 0; c < map_.channels; ++c) {
          sum[static_cast<std::size_t>(c)] += from[c];
        }
      }
    }
    return sum;
  }

 private:
  const Rows& map_;
  std::int64_t chunks_, kinds_;
  std::vector<float> values_;
};

/// Work on the rows of each chunk: body(chunk, first value, number of values, image's factor), in stretches of one
/// factor.
template <typename Body>
void for_each_stretch(const Rows& map, const at::Tensor& keep, const Body& body) {
  const float* factors = keep.defined() ? keep.data_ptr<float>() : nullptr;
  const std::int64_t positions = map.rows / map.images;
  at::parallel_for(0, map.chunks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t chunk = begin; chunk < end; ++chunk) {
      const std::int64_t last = map.row_of(chunk + 1);
      for (std::int64_t row = map.row_of(chunk); row < last;) {
        const std::int64_t image = row / positions;
        const std::int64_t next = factors != nullptr ? std::min(last, (image + 1) * positions) : last;
        body(chunk, row * map.channels, (next - row) * map.channels, factors != nullptr ? factors[image] : 1.0f);
        row = next;
      }
    }
  });
}

const char* bytes_at(const at::Tensor& x, std::int64_t value) {
  return static_cast<const char*>(x.data_ptr()) + value * x.element_size();
}
char* bytes_to(const at::Tensor& x, std::int64_t value) {
  return static_cast<char*>(x.data_ptr()) + value * x.element_size();
}

/// What the batch says of each channel, [4, C]: scale and shift of z = x * scale + shift, mean, 1 / deviation.
enum Statistic { kScale, kShift, kMean, kInverse };

at::Tensor batch_statistics(const at::Tensor& x, const Rows& map, const Norm& norm) {
  EFFNETV2_RECORD("batch_statistics", x);
  const NormActKernels& kernel = kernels(x);
  // sums of distances from some value of the channel lose nothing to a large mean
  const at::Tensor first = x[0].select(1, 0).select(1, 0).to(at::kFloat).contiguous();
  const auto origin = repeated(map, first);
  Sums sums(map, map.chunks, 2);
  for_each_stretch(map, {}, [&](std::int64_t chunk, std::int64_t from, std::int64_t count, float) {
    kernel.moments(bytes_at(x, from), count, map.period, origin.data(), sums.at(chunk, 0), sums.at(chunk, 1));
  });
  const auto sum = sums.total(0), square = sums.total(1);
  at::Tensor statistics = at::empty({4, map.channels}, at::kFloat);
  auto* out = statistics.data_ptr<float>();
  const auto* weight = norm.weight.data_ptr<float>();
  const auto* bias = norm.bias.data_ptr<float>();
  auto* running_mean = norm.running_mean.data_ptr<float>();
  auto* running_var = norm.running_var.data_ptr<float>();
  const auto n = static_cast<double>(map.rows);
  for (std::int64_t c = 0; c < map.channels; ++c) {
    const auto at = static_cast<std::size_t>(c);
    const double mean = origin[at] + sum[at] / n;
    // not below 0, but a NaN stays one
    const double variance = std::max(square[at] - sum[at] * sum[at] / n, 0.0 * square[at]) / n;
    const double inverse = 1.0 / std::sqrt(variance + norm.eps);
    out[kScale * map.channels + c] = static_cast<float>(weight[c] * inverse);
    out[kShift * map.channels + c] = static_cast<float>(bias[c] - mean * weight[c] * inverse);
    out[kMean * map.channels + c] = static_cast<float>(mean);
    out[kInverse * map.channels + c] = static_cast<float>(inverse);
    running_mean[c] = static_cast<float>(running_mean[c] + norm.momentum * (mean - running_mean[c]));
    running_var[c] = static_cast<float>(running_var[c] + norm.momentum * (variance * n / (n - 1.0) - running_var[c]));
  }
  return statistics;
}

/// scale and shift alone, from the running statistics.
at::Tensor running_statistics(const Norm& norm) {
  const at::Tensor scale = norm.weight / (norm.running_var + norm.eps).sqrt();
  return at::stack({scale, norm.bias - norm.running_mean * scale});
}

at::Tensor normalise(const at::Tensor& x, const Rows& map, const at::Tensor& statistics, bool silu,
                     const at::Tensor& residual, const at::Tensor& keep) {
  EFFNETV2_RECORD("norm_act", x, x, residual);
  const auto scale = repeated(map, statistics[kScale]), shift = repeated(map, statistics[kShift]);
  at::Tensor y = at::empty_like(x, x.options(), at::MemoryFormat::ChannelsLast);
  const NormActKernels& kernel = kernels(x);
  for_each_stretch(map, keep, [&](std::int64_t, std::int64_t from, std::int64_t count, float factor) {
    kernel.apply({count, map.period, scale.data(), shift.data(), silu}, bytes_at(x, from), factor,
                 residual.defined() ? bytes_at(residual, from) : nullptr, bytes_to(y, from));
  });
  return y;
}

/// The gradients of weight and bias from the sums of dz and dz * (x - mean), and the three numbers that make dx.
struct NormGrad {
  at::Tensor weight, bias;
  std::vector<float> slope, slant, offset;  ///< [period]

  NormGrad(const Rows& map, const at::Tensor& statistics, const std::vector<double>& sum,
           const std::vector<double>& product)
      : weight(at::empty({map.channels}, at::kFloat)), bias(at::empty({map.channels}, at::kFloat)) {
    std::vector<float> slopes(sum.size()), slants(sum.size()), offsets(sum.size());
    const auto n = static_cast<double>(map.rows);
    const auto* numbers = statistics.data_ptr<float>();
    for (std::int64_t c = 0; c < map.channels; ++c) {
      const auto at = static_cast<std::size_t>(c);
      const double scale = numbers[kScale * map.channels + c];
      const double mean = numbers[kMean * map.channels + c];
      const double inverse = numbers[kInverse * map.channels + c];
      bias.data_ptr<float>()[c] = static_cast<float>(sum[at]);
      weight.data_ptr<float>()[c] = static_cast<float>(product[at] * inverse);
      const double tilt = scale * inverse * inverse * product[at] / n;
      slopes[at] = static_cast<float>(scale);
      slants[at] = static_cast<float>(tilt);
      offsets[at] = static_cast<float>(scale * sum[at] / n - tilt * mean);
    }
    slope = repeated(map, slopes.data());
    slant = repeated(map, slants.data());
    offset = repeated(map, offsets.data());
  }
  NormSlopes slopes() const { return {slope.data(), slant.data(), offset.data()}; }
};

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
    return normalise(x, map, statistics, silu, adds ? residual : at::Tensor(), scales ? keep : at::Tensor());
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
    const NormActKernels& kernel = kernels(x);
    const auto scale = repeated(map, statistics[kScale]), shift = repeated(map, statistics[kShift]),
               mean = repeated(map, statistics[kMean]);
    const auto rows = [&](std::int64_t count) { return NormRows{count, map.period, scale.data(), shift.data(), silu}; };
    Sums sums(map, map.chunks, 2);
    for_each_stretch(map, keep, [&](std::int64_t chunk, std::int64_t from, std::int64_t count, float factor) {
      kernel.grad_sums(rows(count), bytes_at(x, from), bytes_at(dy, from), factor, mean.data(), sums.at(chunk, 0),
                       sums.at(chunk, 1));
    });
    const NormGrad norm(map, statistics, sums.total(0), sums.total(1));
    at::Tensor dx = at::empty_like(x, x.options(), at::MemoryFormat::ChannelsLast);
    for_each_stretch(map, keep, [&](std::int64_t, std::int64_t from, std::int64_t count, float factor) {
      kernel.grad(rows(count), bytes_at(x, from), bytes_at(dy, from), factor, norm.slopes(), bytes_to(dx, from));
    });
    return {dx,           norm.weight,  norm.bias,   context->saved_data["adds"].toBool() ? dy : at::Tensor(),
            at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

/// Of squeeze-excite's small tensors, all float32 with a row for each image.
struct Gates {
  at::Tensor pooled;    ///< [N, C], mean of y over the map
  at::Tensor squeezed;  ///< [N, S], before SiLU
  at::Tensor gate;      ///< [N, C]
};

at::Tensor as_matrix(const at::Tensor& weight) {
  return weight.view({weight.size(0), weight.size(1)});
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

/// Sums over a period's repeats of a channel, to one image's row of [N, C].
void fold(const Rows& map, const float* sums, float factor, float* row) {
  for (std::int64_t c = 0; c < map.channels; ++c) {
    float sum = 0.0f;
    for (std::int64_t i = c; i < map.period; i += map.channels) {
      sum += sums[i];
    }
    row[c] = sum * factor;
  }
}

Gates make_gates(const at::Tensor& x, const Rows& map, const std::vector<float>& scale, const std::vector<float>& shift,
                 const Excite& excite) {
  EFFNETV2_RECORD("excite_gates", x);
  const NormActKernels& kernel = kernels(x);
  Gates gates;
  gates.pooled = at::empty({map.images, map.channels}, at::kFloat);
  auto* pooled = gates.pooled.data_ptr<float>();
  const float share = 1.0f / static_cast<float>(map.rows / map.images);
  for_each_image(map, [&](std::int64_t image, std::int64_t from, std::int64_t count) {
    std::vector<float> sum(static_cast<std::size_t>(map.period), 0.0f);
    kernel.pool({count, map.period, scale.data(), shift.data(), true}, bytes_at(x, from), sum.data());
    fold(map, sum.data(), share, pooled + image * map.channels);
  });
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::DispatchKey::AutocastCPU);
  gates.squeezed = at::addmm(excite.squeeze_bias, gates.pooled, as_matrix(excite.squeeze_weight).t());
  gates.gate = at::addmm(excite.excite_bias, at::silu(gates.squeezed), as_matrix(excite.excite_weight).t()).sigmoid_();
  return gates;
}

at::Tensor apply_gates(const at::Tensor& x, const Rows& map, const std::vector<float>& scale,
                       const std::vector<float>& shift, const Gates& gates) {
  EFFNETV2_RECORD("excite_apply", x, x);
  const NormActKernels& kernel = kernels(x);
  at::Tensor y = at::empty_like(x, x.options(), at::MemoryFormat::ChannelsLast);
  const auto* gate = gates.gate.data_ptr<float>();
  for_each_image(map, [&](std::int64_t image, std::int64_t from, std::int64_t count) {
    const auto row = repeated(map, gate + image * map.channels);
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
    const auto scale = repeated(map, statistics[kScale]), shift = repeated(map, statistics[kShift]);
    const Gates gates = make_gates(x, map, scale, shift, excite);
    context->save_for_backward(
        {x, statistics, gates.pooled, gates.squeezed, gates.gate, squeeze_weight, excite_weight});
    return apply_gates(x, map, scale, shift, gates);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "norm_act_excite: has no second derivative");
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::DispatchKey::AutocastCPU);
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &statistics = saved[1], &pooled = saved[2], &squeezed = saved[3], &gate = saved[4];
    const at::Tensor squeeze_weight = as_matrix(saved[5]), excite_weight = as_matrix(saved[6]);
    const at::Tensor dy = channels_last(grads[0]);
    EFFNETV2_RECORD("norm_act_excite_backward", x, x, x, dy, dy);
    const Rows map(x);
    const NormActKernels& kernel = kernels(x);
    const auto scale = repeated(map, statistics[kScale]), shift = repeated(map, statistics[kShift]),
               mean = repeated(map, statistics[kMean]);
    constexpr std::int64_t kSums = 5;
    // [5, N, C] of the kernel's sums; the gate's own gradient is the first
    at::Tensor sums = at::empty({kSums, map.images, map.channels}, at::kFloat);
    auto* out = sums.data_ptr<float>();
    for_each_image(map, [&](std::int64_t image, std::int64_t from, std::int64_t count) {
      std::vector<float> sum(static_cast<std::size_t>(kSums * map.period), 0.0f);
      kernel.gated_sums({count, map.period, scale.data(), shift.data(), true}, bytes_at(x, from), bytes_at(dy, from),
                        mean.data(), sum.data());
      for (std::int64_t k = 0; k < kSums; ++k) {
        fold(map, sum.data() + k * map.period, 1.0f, out + (k * map.images + image) * map.channels);
      }
    });
    const at::Tensor excited = at::silu(squeezed);
    const at::Tensor d_excite = sums[0] * gate * (1.0 - gate);
    const at::Tensor d_squeeze = at::silu_backward(at::mm(d_excite, excite_weight), squeezed);
    const at::Tensor d_pooled =
        at::mm(d_squeeze, squeeze_weight).mul_(static_cast<double>(map.images) / static_cast<double>(map.rows));
    const auto total = [&](std::int64_t with_gate, std::int64_t with_pooled) {
      const at::Tensor sum = at::addcmul(sums[with_gate].to(at::kDouble) * gate, sums[with_pooled].to(at::kDouble),
                                         d_pooled.to(at::kDouble))
                                 .sum(0)
                                 .contiguous();
      return std::vector<double>(sum.data_ptr<double>(), sum.data_ptr<double>() + map.channels);
    };
    const NormGrad norm(map, statistics, total(1, 2), total(3, 4));
    at::Tensor dx = at::empty_like(x, x.options(), at::MemoryFormat::ChannelsLast);
    const auto *gates = gate.data_ptr<float>(), *shares = d_pooled.data_ptr<float>();
    for_each_image(map, [&](std::int64_t image, std::int64_t from, std::int64_t count) {
      const auto row = repeated(map, gates + image * map.channels);
      const auto share = repeated(map, shares + image * map.channels);
      kernel.gated_grad({count, map.period, scale.data(), shift.data(), true}, bytes_at(x, from), bytes_at(dy, from),
                        row.data(), share.data(), norm.slopes(), bytes_to(dx, from));
    });
    return {dx,
            norm.weight,
            norm.bias,
            at::mm(d_squeeze.t(), pooled).view(saved[5].sizes()),
            d_squeeze.sum(0),
            at::mm(d_excite.t(), excited).view(saved[6].sizes()),
            d_excite.sum(0),
            at::Tensor(),
            at::Tensor()};
  }
};

/// An absent tensor for Function::apply.
at::Tensor or_empty(const at::Tensor& x) {
  return x.defined() ? x : at::empty({0}, at::kFloat);
}

bool wants_gradient(const at::Tensor& x, const Norm& norm) {
  return at::GradMode::is_enabled() && (x.requires_grad() || norm.weight.requires_grad());
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

at::Tensor norm_act(const at::Tensor& x, const Norm& norm, Activation activation, const Residual& residual,
                    bool training) {
  if (!has_kernels(x, norm) || (residual.x.defined() && residual.x.scalar_type() != x.scalar_type()) ||
      (!training && wants_gradient(x, norm))) {
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
  return normalise(map, Rows(map), running_statistics(norm), silu, added, factors);
}

at::Tensor reference_norm_act_excite(const at::Tensor& x, const Norm& norm, const Excite& excite, bool training) {
  return reference_excite(reference_norm_act(x, norm, Activation::silu, {}, training), excite);
}

at::Tensor reference_excite(const at::Tensor& y, const Excite& excite) {
  const at::Tensor squeezed =
      at::silu(at::conv2d(y.mean({2, 3}, /*keepdim=*/true), excite.squeeze_weight, excite.squeeze_bias));
  return y * at::conv2d(squeezed, excite.excite_weight, excite.excite_bias).sigmoid();
}

at::Tensor norm_act_excite(const at::Tensor& x, const Norm& norm, const Excite& excite, bool training) {
  if (!has_kernels(x, norm) || (!training && wants_gradient(x, norm))) {
    return reference_norm_act_excite(x, norm, excite, training);
  }
  const at::Tensor map = channels_last(x);
  if (training) {
    return NormActExciteFunction::apply(map, norm.weight, norm.bias, excite.squeeze_weight, excite.squeeze_bias,
                                        excite.excite_weight, excite.excite_bias, norm, excite);
  }
  const Rows rows(map);
  const at::Tensor statistics = running_statistics(norm);
  const auto scale = repeated(rows, statistics[kScale]), shift = repeated(rows, statistics[kShift]);
  return apply_gates(map, rows, scale, shift, make_gates(map, rows, scale, shift, excite));
}

}  // namespace effnetv2
