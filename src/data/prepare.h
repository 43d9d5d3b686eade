#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "effnetv2/core/error.h"
#include "effnetv2/core/text.h"
#include "effnetv2/data/decode.h"
#include "effnetv2/data/transform.h"

namespace effnetv2 {

/// What a cache holds of a file. Throws DataError with its name if it is bad.
inline Image prepare_file(const std::filesystem::path& path, const Transform& transform) {
  Image decoded = decode_image(path, transform.reduction());
  try {
    return transform.prepare(std::move(decoded));
  } catch (const DataError& e) {
    throw DataError(printable(path.string()) + ": " + e.what());
  }
}

/// The end of a message about a bad picture.
inline constexpr const char* kBadImageHint = "; repair or remove it, or set data.on_bad_image to \"skip\"";

}  // namespace effnetv2
