#include "effnetv2/data/resize.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace effnetv2 {
namespace {

constexpr int kPrecisionBits = 32 - 8 - 2;

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

/// For each output position: the first source position and the weights from there on, in fixed point.
struct Taps {
  std::size_t width = 0;  ///< weights per position, zero-padded
  std::vector<std::int64_t> first;
  std::vector<std::int32_t> weights;
  std::vector<std::int64_t> count;
};

Taps make_taps(std::int64_t in, std::int64_t out, Interpolation interpolation) {
  const bool linear = interpolation == Interpolation::bilinear;
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double filter_scale = std::max(scale, 1.0);
  const double support = (linear ? 1.0 : 2.0) * filter_scale;
  Taps taps;
  taps.width = static_cast<std::size_t>(std::ceil(support)) * 2 + 1;
  taps.weights.resize(taps.width * static_cast<std::size_t>(out));
  std::vector<double> exact(taps.width);
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
    auto* weights = taps.weights.data() + static_cast<std::size_t>(i) * taps.width;
    for (auto x = begin; x < end; ++x) {
      double weight = exact[static_cast<std::size_t>(x - begin)];
      if (sum != 0.0) {
        weight /= sum;
      }
      weights[x - begin] = static_cast<std::int32_t>((weight < 0 ? -0.5 : 0.5) + weight * (1 << kPrecisionBits));
    }
    taps.first.push_back(begin);
    taps.count.push_back(end - begin);
  }
  return taps;
}

std::uint8_t to_byte(std::int32_t fixed_point) {
  return static_cast<std::uint8_t>(std::clamp(fixed_point >> kPrecisionBits, 0, 255));
}

/// Rows [first_row, last_row) of `in`, each resampled to the taps' width.
Image resample_rows(const Image& in, const Taps& taps, std::int64_t first_row, std::int64_t last_row) {
  const auto width = static_cast<std::int64_t>(taps.first.size());
  Image out(width, last_row - first_row);
  for (auto y = first_row; y < last_row; ++y) {
    const auto* row = in.pixels.data() + y * in.width * 3;
    auto* to = out.pixels.data() + (y - first_row) * width * 3;
    for (std::int64_t x = 0; x < width; ++x, to += 3) {
      const auto index = static_cast<std::size_t>(x);
      const auto* weights = taps.weights.data() + index * taps.width;
      const auto* from = row + taps.first[index] * 3;
      std::int32_t r = 1 << (kPrecisionBits - 1), g = r, b = r;
      for (std::int64_t k = 0; k < taps.count[index]; ++k, from += 3) {
        r += from[0] * weights[k];
        g += from[1] * weights[k];
        b += from[2] * weights[k];
      }
      to[0] = to_byte(r);
      to[1] = to_byte(g);
      to[2] = to_byte(b);
    }
  }
  return out;
}

/// `in` begins at source row `first_row`. A whole row of sums at a time, so that the inner loop is a plain vector one.
Image resample_columns(const Image& in, const Taps& taps, std::int64_t first_row) {
  const auto height = static_cast<std::int64_t>(taps.first.size());
  const auto bytes = static_cast<std::size_t>(in.width) * 3;
  Image out(in.width, height);
  std::vector<std::int32_t> sums(bytes);
  for (std::int64_t y = 0; y < height; ++y) {
    const auto index = static_cast<std::size_t>(y);
    std::fill(sums.begin(), sums.end(), 1 << (kPrecisionBits - 1));
    for (std::int64_t k = 0; k < taps.count[index]; ++k) {
      const auto weight = taps.weights[index * taps.width + static_cast<std::size_t>(k)];
      const auto* row = in.pixels.data() + static_cast<std::size_t>(taps.first[index] - first_row + k) * bytes;
      for (std::size_t i = 0; i < bytes; ++i) {
        sums[i] += row[i] * weight;
      }
    }
    auto* to = out.pixels.data() + index * bytes;
    for (std::size_t i = 0; i < bytes; ++i) {
      to[i] = to_byte(sums[i]);
    }
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
    first_row = rows.first.front();
    last_row = rows.first.back() + rows.count.back();
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
