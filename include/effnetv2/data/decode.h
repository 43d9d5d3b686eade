#pragma once

#include <filesystem>
#include <string>

#include "effnetv2/data/image.h"
#include "effnetv2/data/jpeg.h"

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

/// The same, but a JPEG comes at about as many eighths of its size as `reduction` says and not fewer, its cosine
/// transform cut short (jpeg.h): several times faster, each pixel about the mean of those it stands for. Other formats
/// are decoded whole.
Image decode_image(const std::filesystem::path& path, const Reduction& reduction);

/// The bytes of a file of pictures. Throws DataError if it cannot be read, EnvironmentError if nothing can.
std::string read_image_file(const std::filesystem::path& path);

/// From bytes in memory; `name` is for messages. `reduction` may be empty.
Image decode_image(const std::string& bytes, const std::string& name, const Reduction& reduction = {});

/// Throws DataError if the file is no image that decode_image understands.
ImageHeader read_image_header(const std::filesystem::path& path);
/// The same of bytes in memory; `name` is for messages.
ImageHeader read_image_header(const std::string& bytes, const std::string& name);

}  // namespace effnetv2
