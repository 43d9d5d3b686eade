#include "effnetv2/data/resize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <vector>

#include "effnetv2/core/level_kernels.h"

#include "resize_kernels.h"

namespace effnetv2 {

EFFNETV2_LEVEL_KERNELS(ResizeKernels, kResizeKernels)

namespace {

double triangle(double x) {
  return std::max(0.0, 1.0 - std::abs(x));
}

double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) {
    return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  }
  if (x < 2.0) {
    return (((x - 5) * x + 8) * x - 4) * a;
  }
  return 0.0;
}

/// For each output position: the source positions and their weights, in fixed point.
struct Taps {
  std::vector<ResizeTaps> positions;
  std::vector<std::int32_t> weights;  ///< what the positions point to
};

Taps make_taps(std::int64_t in, std::int64_t out, Interpolation interpolation) {
  const bool linear = interpolation == Interpolation::bilinear;
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double filter_scale = std::max(scale, 1.0);
  const double support = (linear ? 1.0 : 2.0) * filter_scale;
  Taps taps;
  const std::size_t most = static_cast<std::size_t>(std::ceil(support)) * 2 + 1;
  taps.weights.resize(most * static_cast<std::size_t>(out));
  std::vector<double> exact(most);
  for (std::int64_t i = 0; i < out; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const double inverse = 1.0 / filter_scale;
    // as Pillow rounds; NOLINTBEGIN(bugprone-incorrect-roundings)
    const auto begin = std::max<std::int64_t>(0, static_cast<std::int64_t>(center - support + 0.5));
    const auto end = std::min(in, static_cast<std::int64_t>(center + support + 0.5));
    // NOLINTEND(bugprone-incorrect-roundings)
    double sum = 0.0;
    for (auto x = begin; x < end; ++x) {
      const double at = (static_cast<double>(x) - center + 0.5) * inverse;
      const double weight = linear ? triangle(at) : cubic(at);
      exact[static_cast<std::size_t>(x - begin)] = weight;
      sum += weight;
    }
    auto* weights = taps.weights.data() + static_cast<std::size_t>(i) * most;
    for (auto x = begin; x < end; ++x) {
      double weight = exact[static_cast<std::size_t>(x - begin)];
      if (sum != 0.0) {
        weight /= sum;
      }
      weights[x - begin] = static_cast<std::int32_t>((weight < 0 ? -0.5 : 0.5) + weight * (1 << kPrecisionBits));
    }
    taps.positions.push_back({begin, end - begin, weights});
  }
  return taps;
}

constexpr std::ptrdiff_t kTogether = 4;  // rows

/// Pixels of `count` columns of kTogether rows: RGB and one byte more each, those of a column beside each other.
void interleave(const std::array<const std::uint8_t*, kTogether>& rows, std::ptrdiff_t count, std::uint8_t* to) {
  const auto column = [&](std::ptrdiff_t x, std::size_t bytes) {
    for (std::size_t row = 0; row < kTogether; ++row) {
      std::memcpy(to + 4 * (kTogether * x + static_cast<std::ptrdiff_t>(row)), rows[row] + 3 * x, bytes);
    }
  };
  for (std::ptrdiff_t x = 0; x < count - 1; ++x) {
    column(x, 4);
  }
  column(count - 1, 3);  // the picture may end here
}

/// One row out of what interleave() makes, which begins at `from`.
void take_row(const std::uint8_t* from, std::ptrdiff_t count, std::uint8_t* to) {
  for (std::ptrdiff_t x = 0; x < count - 1; ++x) {
    std::memcpy(to + 3 * x, from + 4 * kTogether * x, 4);
  }
  std::memcpy(to + 3 * (count - 1), from + 4 * kTogether * (count - 1), 3);
}

/// Rows [first_row, last_row) of `in`, each resampled to as many pixels as there are positions.
Image resample_rows(const Image& in, const Taps& taps, std::int64_t first_row, std::int64_t last_row) {
  const ResizeKernels& kernels = kResizeKernels_at(cpu_level());
  const auto width = static_cast<std::int64_t>(taps.positions.size());
  Image out(width, last_row - first_row);
  std::vector<std::uint8_t> from(static_cast<std::size_t>(in.width * 4 * kTogether));
  std::vector<std::int32_t> wide(from.size());
  std::vector<std::uint8_t> to(static_cast<std::size_t>(width * 4 * kTogether));
  for (auto y = first_row; y < last_row; y += kTogether) {
    std::array<const std::uint8_t*, kTogether> rows{};
    for (std::size_t row = 0; row < kTogether; ++row) {
      // those behind the last are not taken
      rows[row] = in.pixels.data() + std::min(y + static_cast<std::int64_t>(row), last_row - 1) * in.width * 3;
    }
    interleave(rows, in.width, from.data());
    kernels.widen(from.data(), std::ssize(from), wide.data());
    kernels.rows(taps.positions.data(), width, wide.data(), to.data());
    for (std::int64_t row = 0; row < std::min(kTogether, last_row - y); ++row) {
      take_row(to.data() + 4 * row, width, out.pixels.data() + (y - first_row + row) * width * 3);
    }
  }
  return out;
}

/// `in` begins at source row `first_row`.
Image resample_columns(const Image& in, const Taps& taps, std::int64_t first_row) {
  const ResizeKernels& kernels = kResizeKernels_at(cpu_level());
  Image out(in.width, static_cast<std::int64_t>(taps.positions.size()));
  const auto bytes = in.width * 3;
  std::vector<std::int32_t> sums(static_cast<std::size_t>(bytes));
  std::uint8_t* to = out.pixels.data();
  for (ResizeTaps position : taps.positions) {
    position.first -= first_row;
    kernels.columns(position, in.pixels.data(), bytes, sums.data(), to);
    to += bytes;
  }
  return out;
}

/// Python's round: half to even.
std::int64_t round_half_even(double value) {
  return static_cast<std::int64_t>(std::nearbyint(value));
}

}  // namespace

Image resize(const Image& image, std::int64_t width, std::int64_t height, Interpolation interpolation) {
  const bool horizontal = width != image.width;
  const bool vertical = height != image.height;
  if (!horizontal && !vertical) {
    return image;
  }
  std::int64_t first_row = 0, last_row = image.height;
  Taps rows;
  if (vertical) {
    rows = make_taps(image.height, height, interpolation);
    first_row = rows.positions.front().first;
    last_row = rows.positions.back().first + rows.positions.back().count;
  }
  if (!horizontal) {
    return resample_columns(image, rows, 0);
  }
  Image wide = resample_rows(image, make_taps(image.width, width, interpolation), first_row, last_row);
  return vertical ? resample_columns(wide, rows, first_row) : wide;
}

Image resize_shorter_side(const Image& image, std::int64_t size, Interpolation interpolation) {
  const auto longer = [&](std::int64_t long_side, std::int64_t short_side) { return size * long_side / short_side; };
  return image.width <= image.height ? resize(image, size, longer(image.height, image.width), interpolation)
                                     : resize(image, longer(image.width, image.height), size, interpolation);
}

Image crop(const Image& image, std::int64_t left, std::int64_t top, std::int64_t width, std::int64_t height) {
  Image out(width, height);
  const auto begin = std::clamp<std::int64_t>(-left, 0, width);
  const auto end = std::clamp<std::int64_t>(image.width - left, begin, width);
  for (std::int64_t y = 0; y < height; ++y) {
    const auto source = y + top;
    if (source >= 0 && source < image.height && end > begin) {
      const auto* from = image.pixels.data() + (source * image.width + left + begin) * 3;
      std::copy_n(from, (end - begin) * 3, out.pixels.data() + (y * width + begin) * 3);
    }
  }
  return out;
}

Image center_crop(const Image& image, std::int64_t width, std::int64_t height) {
  // torchvision pads a smaller side first, the smaller half of an odd rest in front
  const auto offset = [](std::int64_t size, std::int64_t wanted) {
    return size < wanted ? -((wanted - size) / 2) : round_half_even(static_cast<double>(size - wanted) / 2.0);
  };
  return crop(image, offset(image.width, width), offset(image.height, height), width, height);
}

void flip_horizontal(Image& image) {
  for (std::int64_t y = 0; y < image.height; ++y) {
    auto* row = image.pixels.data() + y * image.width * 3;
    for (std::int64_t left = 0, right = image.width - 1; left < right; ++left, --right) {
      std::swap_ranges(row + left * 3, row + left * 3 + 3, row + right * 3);
    }
  }
}

}  // namespace effnetv2
