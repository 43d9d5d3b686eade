#include "effnetv2/run/histogram.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <span>

#include <ATen/ATen.h>

namespace effnetv2 {
namespace {

// independent sums and counters: a chain of additions to one would be what everything waits for
constexpr std::size_t kLanes = 8;

/// Calls add(lane, value) for every value.
template <typename Add>
void for_each_lane(std::span<const float> values, const Add& add) {
  std::size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      add(lane, values[i + lane]);
    }
  }
  for (; i < values.size(); ++i) {
    add(0, values[i]);
  }
}

constexpr float kMost = std::numeric_limits<float>::max();

bool is_finite(float value) {
  return std::abs(value) <= kMost;
}

/// Everything but the buckets.
Histogram measure(std::span<const float> values) {
  std::array<double, kLanes> sum{}, squares{};
  std::array<float, kLanes> min, max;
  std::array<std::int32_t, kLanes> left_out{};
  min.fill(kMost);
  max.fill(-kMost);
  for_each_lane(values, [&](std::size_t lane, float value) {
    const bool finite = is_finite(value);
    const auto wide = static_cast<double>(finite ? value : 0.0f);
    sum[lane] += wide;
    squares[lane] += wide * wide;
    min[lane] = std::min(min[lane], finite ? value : kMost);
    max[lane] = std::max(max[lane], finite ? value : -kMost);
    left_out[lane] += finite ? 0 : 1;
  });
  Histogram histogram;
  histogram.count =
      static_cast<std::int64_t>(values.size()) - std::accumulate(left_out.begin(), left_out.end(), std::int64_t{0});
  if (histogram.count > 0) {
    histogram.min = static_cast<double>(*std::ranges::min_element(min));
    histogram.max = static_cast<double>(*std::ranges::max_element(max));
    histogram.sum = std::accumulate(sum.begin(), sum.end(), 0.0);
    histogram.sum_of_squares = std::accumulate(squares.begin(), squares.end(), 0.0);
  }
  return histogram;
}

void count_into_buckets(std::span<const float> values, std::int64_t buckets, Histogram& histogram) {
  const double width = histogram.max - histogram.min;
  const std::size_t used = width > 0.0 ? static_cast<std::size_t>(buckets) : 1;
  const double per_value = width > 0.0 ? static_cast<double>(buckets) / width : 0.0;
  const double min = histogram.min;
  const auto last = static_cast<std::int64_t>(used) - 1;
  std::vector<std::int64_t> counts(kLanes * used);
  for_each_lane(values, [&](std::size_t lane, float value) {
    if (is_finite(value)) {
      // the greatest value belongs to the last bucket
      const auto bucket = static_cast<std::int64_t>((static_cast<double>(value) - min) * per_value);
      ++counts[lane * used + static_cast<std::size_t>(std::min(bucket, last))];
    }
  });
  histogram.counts.resize(used);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    histogram.counts[i % used] += static_cast<double>(counts[i]);
  }
  for (std::size_t i = 1; i < used; ++i) {
    histogram.upper_ends.push_back(min + width * static_cast<double>(i) / static_cast<double>(used));
  }
  histogram.upper_ends.push_back(histogram.max);
}

}  // namespace

Histogram histogram_of(const at::Tensor& values, std::int64_t buckets) {
  at::Tensor dense = values.detach().to(at::kCPU, at::kFloat);
  if (!dense.is_non_overlapping_and_dense()) {
    dense = dense.contiguous();
  }
  // the order of memory, whatever it is: a histogram has none
  const std::span<const float> all(dense.data_ptr<float>(), static_cast<std::size_t>(dense.numel()));
  Histogram histogram = measure(all);
  if (histogram.count > 0) {
    count_into_buckets(all, buckets, histogram);
  }
  return histogram;
}

}  // namespace effnetv2
