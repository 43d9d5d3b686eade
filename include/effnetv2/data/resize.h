#pragma once

#include <cstdint>

#include "effnetv2/config/data_config.h"
#include "effnetv2/data/image.h"

namespace effnetv2 {

/// A rectangle of source pixels, possibly fractional, as Pillow's resize(box=...) takes it.
struct Box {
  double left, top, right, bottom;
};

/// Pillow's antialiased Image.resize to the last bit: support scaled by the ratio, two passes, 8-bit fixed point.
/// width, height >= 1.
Image resize(const Image& image, std::int64_t width, std::int64_t height, Interpolation interpolation);
Image resize(const Image& image, std::int64_t width, std::int64_t height, Interpolation interpolation, const Box& box);

/// torchvision's center_crop: offset round((size - crop) / 2), half to even; smaller images are padded with black.
Image center_crop(const Image& image, std::int64_t width, std::int64_t height);

/// Mirrors left and right, in place.
void flip_horizontal(Image& image);

}  // namespace effnetv2
