#include "norm_rows.h"

#include <array>
#include <cmath>

#include "effnetv2/core/level_kernels.h"

#include "record.h"

namespace effnetv2 {

using NormActTable = std::array<NormActKernels, 2>;  // float32, bfloat16
EFFNETV2_LEVEL_KERNELS(NormActTable, norm_act_kernels)

const NormActKernels& norm_kernels(const at::Tensor& x) {
  return norm_act_kernels_at(cpu_level())[x.scalar_type() == at::kBFloat16 ? 1 : 0];
}

bool has_norm_kernels(const at::Tensor& x, const Norm& norm) {
  return has_cpu_kernels() && x.device().is_cpu() && x.dim() == 4 && x.numel() > 0 &&
         (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16) && norm.weight.scalar_type() == at::kFloat;
}

at::Tensor batch_statistics(const at::Tensor& x, const Rows& map, const Norm& norm) {
  EFFNETV2_RECORD("batch_statistics", x);
  const NormActKernels& kernel = norm_kernels(x);
  // sums of distances from some value of the channel lose nothing to a large mean
  const at::Tensor first = x[0].select(1, 0).select(1, 0).to(at::kFloat).contiguous();
  const Repeated origin(map, first.data_ptr<float>());
  Sums sums(map, map.chunks, 2);
  for_each_stretch(map, false, [&](std::int64_t chunk, std::int64_t, std::int64_t from, std::int64_t count) {
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
    const double mean = origin.data()[at] + sum[at] / n;
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

at::Tensor running_statistics(const Norm& norm) {
  const at::Tensor scale = norm.weight / (norm.running_var + norm.eps).sqrt();
  return at::stack({scale, norm.bias - norm.running_mean * scale});
}

NormGrad::NormGrad(const Rows& map, const at::Tensor& statistics, const std::vector<double>& sum,
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
  const auto repeat = [&](const std::vector<float>& values) {
    std::vector<float> result(static_cast<std::size_t>(map.period));
    for (std::int64_t i = 0; i < map.period; i += map.channels) {
      std::copy(values.begin(), values.end(), result.begin() + i);
    }
    return result;
  };
  slope_ = repeat(slopes);
  slant_ = repeat(slants);
  offset_ = repeat(offsets);
}

}  // namespace effnetv2
