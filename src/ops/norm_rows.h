#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <numeric>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include "effnetv2/core/cpu_features.h"
#include "effnetv2/ops/norm_act.h"

#include "channels_last.h"
#include "cpu/norm_act.h"

// What norm_act() and norm_act_excite() share on the CPU.

namespace effnetv2 {

/// The kernels for x's dtype at cpu_level().
const NormActKernels& norm_kernels(const at::Tensor& x);

/// Whether x, [N, C, H, W], and norm are what the kernels take.
bool has_norm_kernels(const at::Tensor& x, const Norm& norm);

inline void count_batch(const Norm& norm) {
  if (norm.batches.defined()) {
    norm.batches.add_(1);
  }
}

/// Whether a gradient is wanted by one of `tensors`; undefined ones want none.
inline bool wants_gradient(std::initializer_list<at::Tensor> tensors) {
  return at::GradMode::is_enabled() &&
         std::ranges::any_of(tensors, [](const at::Tensor& one) { return one.defined() && one.requires_grad(); });
}

inline const char* bytes_at(const at::Tensor& x, std::int64_t value) {
  return static_cast<const char*>(x.data_ptr()) + value * x.element_size();
}
inline char* bytes_to(const at::Tensor& x, std::int64_t value) {
  return static_cast<char*>(x.data_ptr()) + value * x.element_size();
}

/// A map as rows of channels, and how rows are shared out. All follows from the shape, and so do the bits of sums.
struct Rows {
  std::int64_t images, rows, channels;
  std::int64_t period;  ///< values of the fewest rows that fill registers
  std::int64_t chunks;

  explicit Rows(const at::Tensor& x) : images(x.size(0)), rows(x.size(0) * x.size(2) * x.size(3)), channels(x.size(1)) {
    constexpr std::int64_t kWidest = 16;  // lanes of the widest register
    constexpr std::int64_t kGrain = 32768, kMostChunks = 32;
    period = channels * kWidest / std::gcd(channels, kWidest);
    chunks = std::clamp<std::int64_t>(rows * channels / kGrain, 1, std::min(kMostChunks, rows));
  }
  std::int64_t row_of(std::int64_t chunk) const { return rows * chunk / chunks; }
};

/// What the channels need, repeated over a period; borrowed where a period is one row.
class Repeated {
 public:
  Repeated(const Rows& map, const float* values) : values_(values) {
    if (map.period > map.channels) {
      copy_.resize(static_cast<std::size_t>(map.period));
      for (std::int64_t i = 0; i < map.period; i += map.channels) {
        std::copy_n(values, map.channels, copy_.begin() + i);
      }
    }
  }
  const float* data() const { return copy_.empty() ? values_ : copy_.data(); }

 private:
  const float* values_;
  std::vector<float> copy_;
};

/// What a batch says of each channel, rows of a float32 [4, C]: scale and shift of z = x * scale + shift, mean,
/// 1 / deviation. The running statistics have the first two.
enum Statistic { kScale, kShift, kMean, kInverse };

/// Those of x; moves the running statistics too.
at::Tensor batch_statistics(const at::Tensor& x, const Rows& map, const Norm& norm);
at::Tensor running_statistics(const Norm& norm);

inline Repeated repeated(const Rows& map, const at::Tensor& statistics, Statistic which) {
  return {map, statistics.data_ptr<float>() + which * map.channels};
}

/// The gradients of weight and bias from the sums of dz and dz * (x - mean), and the three numbers that make dx.
class NormGrad {
 public:
  NormGrad(const Rows& map, const at::Tensor& statistics, const std::vector<double>& sum,
           const std::vector<double>& product);

  at::Tensor weight, bias;
  NormSlopes slopes() const { return {slope_.data(), slant_.data(), offset_.data()}; }

 private:
  std::vector<float> slope_, slant_, offset_;  ///< [period]
};

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

/// Work on the rows of each chunk: body(chunk, image, first value, number of values), in stretches of one image if
/// `by_image`.
template <typename Body>
void for_each_stretch(const Rows& map, bool by_image, const Body& body) {
  const std::int64_t positions = map.rows / map.images;
  at::parallel_for(0, map.chunks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t chunk = begin; chunk < end; ++chunk) {
      const std::int64_t last = map.row_of(chunk + 1);
      for (std::int64_t row = map.row_of(chunk); row < last;) {
        const std::int64_t image = row / positions;
        const std::int64_t next = by_image ? std::min(last, (image + 1) * positions) : last;
        body(chunk, image, row * map.channels, (next - row) * map.channels);
        row = next;
      }
    }
  });
}

}  // namespace effnetv2
