#include "effnetv2/data/transform.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "effnetv2/config/names.h"
#include "effnetv2/core/error.h"
#include "effnetv2/core/text.h"
#include "effnetv2/core/version.h"
#include "effnetv2/data/resize.h"

namespace effnetv2 {
namespace {

/// To be raised when decoding or resizing gives other pixels than before: packs made before are then not used.
constexpr int kPixelsVersion = 1;

struct Rectangle {
  std::int64_t left, top, width, height;
};

/// torchvision's RandomResizedCrop.get_params: ten tries, then the largest central crop of a legal ratio.
Rectangle random_crop(const Image& image, const RandomResizedCropConfig& config, Rng& rng) {
  const auto width = static_cast<double>(image.width), height = static_cast<double>(image.height);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = width * height * rng.uniform(config.scale[0], config.scale[1]);
    const double ratio = std::exp(rng.uniform(std::log(config.ratio[0]), std::log(config.ratio[1])));
    const auto w = static_cast<std::int64_t>(std::nearbyint(std::sqrt(area * ratio)));
    const auto h = static_cast<std::int64_t>(std::nearbyint(std::sqrt(area / ratio)));
    if (w > 0 && w <= image.width && h > 0 && h <= image.height) {
      const auto top = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(image.height - h + 1)));
      const auto left = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(image.width - w + 1)));
      return {left, top, w, h};
    }
  }
  auto w = image.width, h = image.height;
  if (width / height < config.ratio[0]) {
    h = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::nearbyint(width / config.ratio[0])));
  } else if (width / height > config.ratio[1]) {
    w = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::nearbyint(height * config.ratio[1])));
  }
  return {(image.width - w) / 2, (image.height - h) / 2, w, h};
}

}  // namespace

Transform::Transform(const DataConfig& config, Mode mode) : config_(config), mode_(mode) {}

std::int64_t Transform::image_size() const {
  return config_.image_size;
}

bool Transform::prepared_is_final_size() const {
  return mode_ == Mode::eval || !config_.augment.random_resized_crop;
}

double Transform::least_side() const {
  const auto size = static_cast<double>(config_.image_size);
  if (!prepared_is_final_size()) {
    return size / std::sqrt(config_.augment.random_resized_crop->scale[0]);  // of the smallest crop
  }
  return config_.resize == ResizeMode::center_crop
             ? static_cast<double>(config_.resize_size.value_or(config_.image_size))
             : size;
}

std::string Transform::form() const {
  std::string text = "pixels " + std::to_string(kPixelsVersion) + ", OpenCV " + opencv_version() + "; decode " +
                     std::string(name_of(config_.decode));
  if (config_.decode == Decode::fast) {
    text += " to " + shortest(least_side());
  }
  if (!prepared_is_final_size()) {
    return text;
  }
  text += "; " + std::string(name_of(config_.resize)) + " " + std::string(name_of(config_.interpolation));
  if (config_.resize == ResizeMode::center_crop) {
    text += " " + std::to_string(config_.resize_size.value_or(config_.image_size));
  }
  return text + " to " + std::to_string(config_.image_size);
}

Reduction Transform::reduction() const {
  if (config_.decode == Decode::exact) {
    return {};
  }
  return [needed = least_side()](std::int64_t width, std::int64_t height) {
    const auto shorter = static_cast<double>(std::min(width, height));
    int eighths = 1;
    while (eighths < 8 && shorter * eighths < 8.0 * needed) {
      ++eighths;
    }
    return eighths;
  };
}

Image Transform::prepare(Image decoded) const {
  if (!prepared_is_final_size()) {
    return decoded;
  }
  const auto size = config_.image_size;
  if (config_.resize == ResizeMode::squash) {
    return resize(decoded, size, size, config_.interpolation);
  }
  const auto shorter = config_.resize_size.value_or(size);
  const double longer = static_cast<double>(shorter) * static_cast<double>(std::max(decoded.width, decoded.height)) /
                        static_cast<double>(std::min(decoded.width, decoded.height));
  if (longer * static_cast<double>(shorter) > static_cast<double>(kMaxPixels)) {
    throw DataError("is too narrow for data.resize \"center_crop\": " + std::to_string(decoded.width) + " x " +
                    std::to_string(decoded.height) + " pixels");
  }
  return center_crop(resize_shorter_side(decoded, shorter, config_.interpolation), size, size);
}

Image Transform::augment(Image prepared, Rng& rng) const {
  if (mode_ == Mode::eval) {
    return prepared;
  }
  if (const auto& config = config_.augment.random_resized_crop) {
    const Rectangle r = random_crop(prepared, *config, rng);
    prepared = resize(crop(prepared, r.left, r.top, r.width, r.height), config_.image_size, config_.image_size,
                      config_.interpolation);
  }
  if (mirrors(rng)) {
    flip_horizontal(prepared);
  }
  return prepared;
}

bool Transform::only_mirrors() const {
  return prepared_is_final_size() && (mode_ == Mode::eval || !config_.augment.random_resized_crop);
}

bool Transform::mirrors(Rng& rng) const {
  return mode_ == Mode::train && config_.augment.flip > 0.0 && rng.uniform() < config_.augment.flip;
}

}  // namespace effnetv2
