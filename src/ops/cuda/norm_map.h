#pragma once

#include <cstdint>
#include <limits>

#include <ATen/ATen.h>

#include "effnetv2/ops/norm_act.h"

#include "../channels_last.h"
#include "norm_kernels.h"
#include "stream.h"

// What the bindings of norm_act() and norm_act_excite() share.
namespace effnetv2::EFFNETV2_CUDA_NAMESPACE {

/// x as the kernels take it: channels-last from a multiple of 16 bytes on.
inline at::Tensor norm_input(const at::Tensor& x) {
  const at::Tensor y = effnetv2::channels_last(x);
  return reinterpret_cast<std::uintptr_t>(y.data_ptr()) % 16 == 0 ? y : y.clone();
}

inline NormMap norm_map(const at::Tensor& x) {
  return {x.scalar_type() == at::kBFloat16 ? MapType::bfloat16 : MapType::float32, static_cast<int>(x.size(1)),
          x.size(0) * x.size(2) * x.size(3), static_cast<int>(x.size(2) * x.size(3))};
}

inline at::Tensor like_map(const at::Tensor& x) {
  return at::empty_like(x, x.options(), at::MemoryFormat::ChannelsLast);
}
inline at::Tensor floats(const at::Tensor& x, at::IntArrayRef sizes) {
  return at::empty(sizes, x.options().dtype(at::kFloat).memory_format(c10::nullopt));
}
inline const float* pointer(const at::Tensor& x) {
  return x.defined() && x.numel() > 0 ? x.data_ptr<float>() : nullptr;
}

/// Of a float32 [4, C], or [2, C] for running ones.
inline NormStatistics statistics_in(const at::Tensor& rows) {
  auto* row = rows.data_ptr<float>();
  const std::int64_t channels = rows.size(1);
  const bool batch = rows.size(0) == 4;
  return {row, row + channels, batch ? row + 2 * channels : nullptr, batch ? row + 3 * channels : nullptr};
}

inline BatchStatistics batch_of(const at::Tensor& x, const Norm& norm) {
  return {x.data_ptr(),
          norm.weight.data_ptr<float>(),
          norm.bias.data_ptr<float>(),
          norm.running_mean.data_ptr<float>(),
          norm.running_var.data_ptr<float>(),
          norm.eps,
          norm.momentum,
          norm.batches.defined() ? norm.batches.data_ptr<std::int64_t>() : nullptr};
}

/// [4, C]; moves the running statistics and counts the batch.
inline at::Tensor statistics_of_batch(const at::Tensor& x, const Norm& norm) {
  const NormMap map = norm_map(x);
  const at::Tensor rows = floats(x, {4, x.size(1)}), partial = floats(x, {norm_partial_size(map)});
  check_launch(
      batch_statistics(map, batch_of(x, norm), partial.data_ptr<float>(), statistics_in(rows), current_stream(x)));
  return rows;
}

/// [2, C].
inline at::Tensor statistics_of_running(const at::Tensor& x, const Norm& norm) {
  const at::Tensor rows = floats(x, {2, x.size(1)});
  check_launch(running_statistics(norm_map(x), batch_of(x, norm), statistics_in(rows), current_stream(x)));
  return rows;
}

struct NormGradients {
  at::Tensor x, weight, bias;
};
inline NormGradients norm_backward(const at::Tensor& x, const at::Tensor& statistics, const at::Tensor& dy, bool silu,
                                   const BranchGrad& branch) {
  const NormMap map = norm_map(x);
  const std::int64_t channels = x.size(1);
  const at::Tensor partial = floats(x, {norm_partial_size(map)}), slopes = floats(x, {3, channels});
  NormGradients result{like_map(x), floats(x, {channels}), floats(x, {channels})};
  const NormGrad grad{x.data_ptr(), dy.data_ptr(), silu, branch};
  const cudaStream_t stream = current_stream(x);
  check_launch(norm_grad_sums(map, statistics_in(statistics), grad, partial.data_ptr<float>(),
                              result.weight.data_ptr<float>(), result.bias.data_ptr<float>(), slopes.data_ptr<float>(),
                              stream));
  check_launch(norm_grad(map, statistics_in(statistics), grad, slopes.data_ptr<float>(), result.x.data_ptr(), stream));
  return result;
}

}  // namespace effnetv2::EFFNETV2_CUDA_NAMESPACE
