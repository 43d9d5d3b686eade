#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include "effnetv2/core/error.h"
#include "effnetv2/core/text.h"
#include "effnetv2/data/decode.h"
#include "effnetv2/data/transform.h"

namespace effnetv2 {

/// A file is not what it was when the images were listed: no bad image that may be left out, but another data set.
struct ChangedImage : DataError {
  using DataError::DataError;
};

/// What a cache holds of a file that had `bytes` when it was listed (0: not known). Throws DataError with its name if
/// it is bad, ChangedImage if it has gone or has another size now.
inline Image prepare_file(const std::filesystem::path& path, std::uint64_t bytes, const Transform& transform) {
  const auto check_size = [&](std::uintmax_t now) {
    if (bytes != 0 && now != bytes) {
      throw ChangedImage(printable(path.string()) + ": has changed or gone since the images were listed (" +
                         std::to_string(bytes) + " bytes then); restore it and resume");
    }
  };
  std::string contents;
  try {
    contents = read_image_file(path);
  } catch (const DataError&) {
    std::error_code gone;
    check_size(std::filesystem::file_size(path, gone));
    throw;
  }
  check_size(contents.size());
  Image decoded = decode_image(contents, path.string(), transform.reduction());
  try {
    return transform.prepare(std::move(decoded));
  } catch (const DataError& e) {
    throw DataError(printable(path.string()) + ": " + e.what());
  }
}

/// The end of a message about a bad picture.
inline constexpr const char* kBadImageHint = "; repair or remove it, or set data.on_bad_image to \"skip\"";

}  // namespace effnetv2
