#pragma once

#include <string>
#include <string_view>

#include "effnetv2/data/decode.h"

namespace effnetv2 {

/// Reads the header of a JPEG, PNG, BMP or WebP file and checks that the file is whole: decoders accept truncated ones.
/// On a defect, a description in `defect`; otherwise it is left empty.
struct ImageFormat {
  ImageHeader header;
  std::string defect;
};

/// header_only: skips the check, which needs the whole file.
ImageFormat inspect_image(std::string_view bytes, bool header_only);

/// A whole PNG file without its ancillary chunks except transparency, put together in `storage`: libpng comments on odd
/// ones (a colour profile, a date) on stderr, and none of them changes a pixel here. Other files as they are.
std::string_view without_metadata(std::string_view bytes, std::string& storage);

}  // namespace effnetv2
