#include "effnetv2/data/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "effnetv2/config/data_config.h"
#include "effnetv2/core/error.h"
#include "effnetv2/data/decode.h"
#include "effnetv2/data/listing.h"
#include "effnetv2/data/resize.h"

#include "parallel.h"

namespace effnetv2 {
namespace {

/// Sums of one image, in integers: exact, so that no order of adding matters.
struct ImageSums {
  bool good = false;
  bool greyscale = false;
  std::int64_t width = 0, height = 0, pixels = 0;
  std::array<std::int64_t, 3> sum{}, squares{};
};

ImageSums sums_of(const std::filesystem::path& path, std::int64_t size) {
  ImageSums sums;
  Image image = decode_image(path);
  sums.greyscale = read_image_header(path).channels == 1;
  sums.width = image.width;
  sums.height = image.height;
  if (size > 0) {
    image = resize(image, size, size, Interpolation::bilinear);
  }
  sums.pixels = image.width * image.height;
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    const std::int64_t value = image.pixels[i];
    sums.sum[i % 3] += value;
    sums.squares[i % 3] += value * value;
  }
  sums.good = true;
  return sums;
}

}  // namespace

Statistics measure_images(const std::filesystem::path& root, std::int64_t size, int workers,
                          const ProgressFn& progress) {
  DataConfig config;
  config.root = root.string();
  config.split.val = 0.0;
  const Listing listing = list_images(config);
  FileList files = listing.train;
  files.append(listing.val);
  files.append(listing.test);
  std::vector<ImageSums> all(files.size());
  const bool complete = for_each_index(static_cast<std::int64_t>(files.size()), workers, progress, [&](std::int64_t i) {
    const auto index = static_cast<std::size_t>(i);
    try {
      all[index] = sums_of(root / files.path(index), size);
    } catch (const DataError&) {
      all[index].good = false;
    }
  });

  Statistics result;
  if (!complete) {
    return result;
  }
  for (const auto& name : listing.classes) {
    result.classes.push_back({name, 0});
  }
  std::array<double, 3> sum{}, squares{};
  double pixels = 0.0;
  result.least_width = result.least_height = std::numeric_limits<std::int64_t>::max();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const ImageSums& one = all[i];
    if (!one.good) {
      ++result.bad;
      continue;
    }
    ++result.images;
    ++result.classes[static_cast<std::size_t>(files.label(i))].images;
    result.greyscale += one.greyscale ? 1 : 0;
    result.least_width = std::min(result.least_width, one.width);
    result.most_width = std::max(result.most_width, one.width);
    result.least_height = std::min(result.least_height, one.height);
    result.most_height = std::max(result.most_height, one.height);
    pixels += static_cast<double>(one.pixels);
    for (std::size_t c = 0; c < 3; ++c) {
      sum[c] += static_cast<double>(one.sum[c]);
      squares[c] += static_cast<double>(one.squares[c]);
    }
  }
  if (result.images == 0) {
    throw DataError(root.string() + ": not one of its " + std::to_string(files.size()) + " images can be decoded");
  }
  for (std::size_t c = 0; c < 3; ++c) {
    const double mean = sum[c] / pixels;
    result.mean[c] = mean / 255.0;
    result.std[c] = std::sqrt(std::max(0.0, squares[c] / pixels - mean * mean)) / 255.0;
  }
  return result;
}

}  // namespace effnetv2
