#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace effnetv2 {

/// How the values of a tensor lie between the least and the greatest. Values that are not finite are left out.
struct Histogram {
  double min = 0.0, max = 0.0;
  double sum = 0.0, sum_of_squares = 0.0;
  std::int64_t count = 0;
  /// Of equal widths; one if all values are equal, none without values. A bucket's upper end is the lower one of the
  /// next.
  std::vector<double> upper_ends;
  std::vector<double> counts;
};

/// `values`: floating point, any device and strides. buckets: at least one.
Histogram histogram_of(const at::Tensor& values, std::int64_t buckets = 64);

}  // namespace effnetv2
