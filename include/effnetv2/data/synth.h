#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "effnetv2/core/progress.h"
#include "effnetv2/data/image.h"

namespace effnetv2 {

/// A data set that needs no download: ten classes of drawn shapes and textures. What tells them apart is form alone;
/// place, size, angle, both colours, which of them is the lighter, gradient and noise are random.
struct SynthOptions {
  std::int64_t images_per_class = 500;  ///< [1, 100000]
  std::int64_t size = 32;               ///< pixels a side, [16, 1024]
  std::uint64_t seed = 42;
};

/// The ten class names in byte order.
const std::vector<std::string>& synthetic_classes();

/// Picture `index` of class `label` (into synthetic_classes()): a function of its arguments alone, the same bytes on
/// every machine. Of `options` it takes size and seed.
Image draw_synthetic(std::int64_t label, std::int64_t index, const SynthOptions& options);

/// Writes directory/<class>/NNNN.png and last, once all is there, a hidden file that says so. Does nothing where the
/// whole set with these options stands already; completes one that was cut off. Returns early, leaving the set
/// unfinished, once stop_requested(). Throws ConfigError for options out of range, DataError if `directory` holds
/// anything else, EnvironmentError if it cannot be written.
void write_synthetic_dataset(const std::filesystem::path& directory, const SynthOptions& options,
                             const ProgressFn& progress = {});

}  // namespace effnetv2
