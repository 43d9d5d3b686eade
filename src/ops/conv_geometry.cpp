#include "conv_geometry.h"

#include <algorithm>

namespace effnetv2 {

std::int64_t output_size(std::int64_t size, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
  return (size + 2 * padding - kernel) / stride + 1;
}

std::vector<Taps> forward_taps(std::int64_t size, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
  std::vector<Taps> taps;
  const std::int64_t outputs = output_size(size, kernel, stride, padding);
  for (std::int64_t output = 0; output < outputs; ++output) {
    const std::int64_t origin = output * stride - padding;
    const std::int64_t first = std::max<std::int64_t>(0, -origin);
    const std::int64_t last = std::min(kernel, size - origin);
    taps.push_back(first < last ? Taps{origin + first, first, last - first} : Taps{0, 0, 0});
  }
  return taps;
}

std::vector<Taps> backward_taps(std::int64_t size, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
  std::vector<Taps> taps;
  const std::int64_t outputs = output_size(size, kernel, stride, padding);
  for (std::int64_t input = 0; input < size; ++input) {
    const std::int64_t reach = input + padding;
    const std::int64_t first = reach < kernel ? 0 : (reach - kernel) / stride + 1;
    const std::int64_t last = std::min(reach / stride + 1, outputs);
    taps.push_back(first < last ? Taps{first, reach - first * stride, last - first} : Taps{0, 0, 0});
  }
  return taps;
}

}  // namespace effnetv2
