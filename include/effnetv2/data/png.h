#pragma once

#include <string>

#include "effnetv2/data/image.h"

namespace effnetv2 {

/// The bytes of a PNG file of the picture. Throws EnvironmentError if OpenCV cannot write PNG.
std::string encode_png(const Image& image);

}  // namespace effnetv2
