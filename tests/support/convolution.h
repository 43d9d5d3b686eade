#pragma once

#include <cmath>
#include <cstdint>
#include <ostream>
#include <sstream>
#include <string>

#include <ATen/ATen.h>

namespace effnetv2::test {

/// One convolution of odd sizes.
struct ConvCase {
  std::int64_t images, channels, height, width, outputs, kernel, stride, padding, groups;
};

inline std::ostream& operator<<(std::ostream& out, const ConvCase& c) {
  out << "N" << c.images << "_C" << c.channels << "_" << c.height << "x" << c.width << "_O" << c.outputs << "_k"
      << c.kernel << "_s" << c.stride << "_p" << c.padding;
  return c.groups == 1 ? out : out << "_g" << c.groups;
}

/// A ConvCase with one filter per channel.
inline ConvCase depthwise(std::int64_t images, std::int64_t channels, std::int64_t height, std::int64_t width,
                          std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
  return {images, channels, height, width, channels, kernel, stride, padding, channels};
}

/// For INSTANTIATE_TEST_SUITE_P.
inline std::string name(const ConvCase& c) {
  std::ostringstream out;
  out << c;
  return out.str();
}

inline at::Tensor channels_last(const at::Tensor& x) {
  return x.contiguous(at::MemoryFormat::ChannelsLast);
}

inline at::Tensor random_input(const ConvCase& c) {
  return channels_last(at::randn({c.images, c.channels, c.height, c.width}));
}

inline at::Tensor random_weight(const ConvCase& c) {
  return channels_last(at::randn({c.outputs, c.channels / c.groups, c.kernel, c.kernel}));
}

/// The plain twin: at::conv2d.
inline at::Tensor twin(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const ConvCase& c) {
  return at::conv2d(x, weight, bias, {c.stride, c.stride}, {c.padding, c.padding}, {1, 1}, c.groups);
}

/// Largest difference in units of the largest expected value; infinite where the sizes differ.
inline double distance(const at::Tensor& actual, const at::Tensor& expected) {
  if (actual.sizes() != expected.sizes()) {
    return INFINITY;
  }
  const at::Tensor exact = expected.to(at::kDouble);
  return ((actual.to(at::kDouble) - exact).abs().max() / exact.abs().max().clamp_min(1e-30)).item<double>();
}

}  // namespace effnetv2::test
