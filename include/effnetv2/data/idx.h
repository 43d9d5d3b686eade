#pragma once

#include <cstdint>
#include <filesystem>

#include "effnetv2/core/progress.h"

namespace effnetv2 {

/// Turns MNIST's idx files (images: magic 0x803, labels: magic 0x801, big-endian) into directory/<label>/<number>.png.
/// Returns the number of images. Throws DataError, naming the file, if a magic number, size or count is wrong, or if
/// `directory` is not empty.
std::int64_t convert_idx(const std::filesystem::path& images, const std::filesystem::path& labels,
                         const std::filesystem::path& directory, const ProgressFn& progress = {});

}  // namespace effnetv2
