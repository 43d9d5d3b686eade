#pragma once

#include <filesystem>
#include <string>

#include "effnetv2/data/image.h"

namespace effnetv2 {

/// What a file's header says, without decoding it.
struct ImageHeader {
  std::int64_t width = 0;
  std::int64_t height = 0;
  int channels = 0;  ///< as stored: 1 grey, 2 with alpha, 3 colour, 4 with alpha or CMYK; a palette counts as 3
};

/// Decodes to RGB as Pillow's convert("RGB") does: EXIF orientation ignored, alpha dropped, grey repeated, 16 bits
/// scaled to 8, CMYK converted. Throws DataError, naming the file, if it is missing, damaged or truncated.
Image decode_image(const std::filesystem::path& path);

/// The same from bytes in memory; `name` is for messages.
Image decode_image(const std::string& bytes, const std::string& name);

/// Throws DataError if the file is no image that decode_image understands.
ImageHeader read_image_header(const std::filesystem::path& path);

}  // namespace effnetv2
