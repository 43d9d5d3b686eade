#pragma once

#include <cstdint>
#include <vector>

#include "cpu/taps.h"

namespace effnetv2 {

/// Positions of a convolution's result along one axis.
std::int64_t output_size(std::int64_t size, std::int64_t kernel, std::int64_t stride, std::int64_t padding);

/// For each output position, the taps inside [0, size): input = output * stride - padding + tap.
std::vector<Taps> forward_taps(std::int64_t size, std::int64_t kernel, std::int64_t stride, std::int64_t padding);

/// For each input position in [0, size), the taps through which it meets an output. From one to the next the output,
/// their source, grows by 1 and the tap falls by `stride`.
std::vector<Taps> backward_taps(std::int64_t size, std::int64_t kernel, std::int64_t stride, std::int64_t padding);

}  // namespace effnetv2
