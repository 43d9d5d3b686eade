#pragma once

#include <cstdint>

#include "effnetv2/config/data_config.h"
#include "effnetv2/data/image.h"

namespace effnetv2 {

/// Pillow's antialiased Image.resize to the last bit: support scaled by the ratio, two passes, 8-bit fixed point.
/// width, height >= 1; the image is not empty.
Image resize(const Image& image, std::int64_t width, std::int64_t height, Interpolation interpolation);

/// Resizes so that the shorter side is `size` and the longer one int(size * long / short), as torchvision's
/// Resize(size).
Image resize_shorter_side(const Image& image, std::int64_t size, Interpolation interpolation);

/// The rectangle of `width` x `height` pixels at (left, top); what lies outside the image is black.
Image crop(const Image& image, std::int64_t left, std::int64_t top, std::int64_t width, std::int64_t height);

/// torchvision's center_crop: offset round((size - crop) / 2), half to even; smaller images are padded with black.
Image center_crop(const Image& image, std::int64_t width, std::int64_t height);

/// Mirrors left and right, in place.
void flip_horizontal(Image& image);

}  // namespace effnetv2
