#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "effnetv2/core/progress.h"

namespace effnetv2 {

/// Numbers about a data set, over every image that can be decoded.
struct Statistics {
  struct ClassCount {
    std::string name;
    std::int64_t images = 0;
  };
  std::vector<ClassCount> classes;
  std::int64_t images = 0;
  std::int64_t bad = 0;
  std::int64_t greyscale = 0;           ///< files that store one channel
  std::array<double, 3> mean{}, std{};  ///< per channel, of pixels in [0, 1], every pixel of the resized images alike
  std::int64_t least_width = 0, most_width = 0, least_height = 0, most_height = 0;
};

/// Each image is squashed to `size` x `size` first (0: taken as it is), so that large ones do not count for more.
/// Returns early, and empty, once stop_requested(). Throws DataError for a folder that is no data set.
Statistics measure_images(const std::filesystem::path& root, std::int64_t size, int workers,
                          const ProgressFn& progress = {});

}  // namespace effnetv2
