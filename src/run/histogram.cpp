#include "effnetv2/run/histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include <ATen/ATen.h>

namespace effnetv2 {
namespace {

void count_into_buckets(std::span<const float> values, std::int64_t buckets, Histogram& histogram) {
  const double width = histogram.max - histogram.min;
  std::vector<std::int64_t> counts(width > 0.0 ? static_cast<std::size_t>(buckets) : 1u);
  const auto last = static_cast<std::int64_t>(counts.size()) - 1;
  const double per_value = width > 0.0 ? static_cast<double>(buckets) / width : 0.0;
  for (const float value : values) {
    if (std::isfinite(value)) {
      // the greatest value belongs to the last bucket
      const auto bucket = static_cast<std::int64_t>((static_cast<double>(value) - histogram.min) * per_value);
      ++counts[static_cast<std::size_t>(std::min(bucket, last))];
    }
  }
  histogram.counts.assign(counts.begin(), counts.end());
  for (std::int64_t i = 1; i <= last; ++i) {
    histogram.upper_ends.push_back(histogram.min + width * static_cast<double>(i) / static_cast<double>(buckets));
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
  Histogram histogram;
  float min = std::numeric_limits<float>::max(), max = std::numeric_limits<float>::lowest();
  for (const float value : all) {
    if (std::isfinite(value)) {
      const auto wide = static_cast<double>(value);
      histogram.sum += wide;
      histogram.sum_of_squares += wide * wide;
      min = std::min(min, value);
      max = std::max(max, value);
      ++histogram.count;
    }
  }
  if (histogram.count > 0) {
    histogram.min = static_cast<double>(min);
    histogram.max = static_cast<double>(max);
    count_into_buckets(all, buckets, histogram);
  }
  return histogram;
}

}  // namespace effnetv2
