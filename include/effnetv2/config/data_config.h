#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace effnetv2 {

enum class ResizeMode { squash, center_crop };
enum class Interpolation { bilinear, bicubic };
enum class Decode { exact, fast };
enum class OnBadImage { error, skip };
enum class ChooseOn { val, test };
enum class Cache { automatic, ram, disk, none };

struct SplitConfig {
  double val = 0.2;   ///< share of the listed training images, [0, 1)
  double test = 0.0;  ///< likewise; val + test < 1
  std::uint64_t seed = 42;
  bool stratified = true;              ///< per class; false: over all images at once
  ChooseOn choose_on = ChooseOn::val;  ///< test: there is no val, the test images are measured in its place
};

/// torchvision's RandomResizedCrop: area share and aspect ratio ranges.
struct RandomResizedCropConfig {
  std::array<double, 2> scale{0.08, 1.0};
  std::array<double, 2> ratio{0.75, 4.0 / 3.0};
};

struct AugmentConfig {
  double flip = 0.0;  ///< chance of a horizontal flip, [0, 1]
  std::optional<RandomResizedCropConfig> random_resized_crop;
};

/// The "data" object of the config.
struct DataConfig {
  std::optional<std::string> root;
  std::optional<std::string> class_names;
  std::int64_t image_size = 224;
  ResizeMode resize = ResizeMode::squash;
  std::optional<std::int64_t> resize_size;  ///< center_crop only; null: image_size
  Interpolation interpolation = Interpolation::bilinear;
  Decode decode = Decode::exact;
  std::array<double, 3> mean{0.485, 0.456, 0.406};
  std::array<double, 3> std{0.229, 0.224, 0.225};
  std::optional<std::int64_t> images_per_class;
  bool skip_greyscale = false;
  SplitConfig split;
  OnBadImage on_bad_image = OnBadImage::error;
  AugmentConfig augment;
  Cache cache = Cache::automatic;
  std::optional<std::string> cache_dir;  ///< null: the user's folder of caches
  std::optional<std::int64_t> workers;   ///< "auto" in JSON: nullopt; 0: decode on the calling thread
};

}  // namespace effnetv2
