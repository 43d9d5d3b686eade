#include "effnetv2/data/transform.h"

#include <array>
#include <cmath>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "effnetv2/data/resize.h"

#include "support/image_golden.h"

namespace effnetv2 {
namespace {

using test::formula_image;
using test::random_image;
using Mode = Transform::Mode;

DataConfig config_of(std::int64_t size) {
  DataConfig config;
  config.image_size = size;
  return config;
}

/// Each pixel says where it is: red is x, green is y.
Image coordinates(std::int64_t width, std::int64_t height) {
  Image image(width, height);
  for (std::int64_t i = 0; i < width * height; ++i) {
    image.pixels[static_cast<std::size_t>(3 * i)] = static_cast<std::uint8_t>(i % width);
    image.pixels[static_cast<std::size_t>(3 * i + 1)] = static_cast<std::uint8_t>(i / width);
  }
  return image;
}

Image flipped(Image image) {
  flip_horizontal(image);
  return image;
}

TEST(Transform, SquashIsAPlainResize) {
  const Image image = formula_image(1, 37, 21);
  DataConfig config = config_of(16);
  EXPECT_EQ(Transform(config, Mode::eval).prepare(image), resize(image, 16, 16, Interpolation::bilinear));
  config.interpolation = Interpolation::bicubic;
  EXPECT_EQ(Transform(config, Mode::eval).prepare(image), resize(image, 16, 16, Interpolation::bicubic));
}

TEST(Transform, CenterCropTakesTheShorterSideToResizeSize) {
  const Image image = formula_image(2, 60, 45);
  DataConfig config = config_of(16);
  config.resize = ResizeMode::center_crop;
  const auto expected = [&](std::int64_t size) {
    return center_crop(resize_shorter_side(image, size, Interpolation::bilinear), 16, 16);
  };
  EXPECT_EQ(Transform(config, Mode::eval).prepare(image), expected(16)) << "resize_size null is image_size";
  config.resize_size = 20;
  EXPECT_EQ(Transform(config, Mode::eval).prepare(image), expected(20));
}

TEST(Transform, AnyShapeComesOutAtTheNetworksSize) {
  Rng rng(3);
  const auto side = [&](std::uint64_t most) { return static_cast<std::int64_t>(1 + rng.below(most)); };
  for (int i = 0; i < 400; ++i) {
    DataConfig config = config_of(side(24));
    config.resize = rng.below(2) == 0 ? ResizeMode::squash : ResizeMode::center_crop;
    config.interpolation = rng.below(2) == 0 ? Interpolation::bilinear : Interpolation::bicubic;
    config.augment.flip = 0.5;
    if (rng.below(2) == 0) {
      config.resize_size = side(30);  // smaller than the crop too
    }
    if (rng.below(2) == 0) {
      config.augment.random_resized_crop = RandomResizedCropConfig{};
    }
    const Mode mode = rng.below(2) == 0 ? Mode::train : Mode::eval;
    const Transform transform(config, mode);
    EXPECT_EQ(transform.image_size(), config.image_size);
    const Image decoded = random_image(rng, rng.below(8) == 0 ? 1 : side(60), rng.below(8) == 0 ? 1 : side(60));
    const Image prepared = transform.prepare(decoded);
    const bool crops = mode == Mode::train && config.augment.random_resized_crop;
    ASSERT_EQ(transform.prepared_is_final_size(), !crops);
    if (crops) {
      ASSERT_EQ(prepared, decoded);
    }
    const Image final = transform.augment(prepared, rng);
    ASSERT_EQ(final.width, config.image_size);
    ASSERT_EQ(final.height, config.image_size);
    ASSERT_EQ(final.pixels.size(), static_cast<std::size_t>(3 * config.image_size * config.image_size));
  }
}

TEST(Transform, EvaluationDrawsNothingAndChangesNothing) {
  DataConfig config = config_of(12);
  config.augment.flip = 1.0;
  config.augment.random_resized_crop = RandomResizedCropConfig{};
  const Transform transform(config, Mode::eval);
  const Image prepared = transform.prepare(formula_image(4, 30, 20));
  EXPECT_EQ(prepared, resize(formula_image(4, 30, 20), 12, 12, Interpolation::bilinear));
  Rng rng(5), untouched(5);
  EXPECT_EQ(transform.augment(prepared, rng), prepared);
  EXPECT_EQ(rng.next(), untouched.next());
}

TEST(Transform, WithoutAugmentationTrainingSeesWhatEvaluationSees) {
  const Image image = formula_image(5, 30, 20);
  const Transform train(config_of(12), Mode::train), eval(config_of(12), Mode::eval);
  Rng rng(1);
  EXPECT_EQ(train.augment(train.prepare(image), rng), eval.prepare(image));
}

TEST(Flip, HappensAsOftenAsAsked) {
  const Image image = formula_image(6, 9, 9);
  for (const double chance : {0.0, 0.1, 0.5, 1.0}) {
    DataConfig config = config_of(9);
    config.augment.flip = chance;
    const Transform transform(config, Mode::train);
    constexpr int kVisits = 4000;
    int flips = 0;
    for (std::uint64_t i = 0; i < kVisits; ++i) {
      Rng rng = Rng::stream(7, Purpose::augment, 0, i);
      const Image seen = transform.augment(image, rng);
      ASSERT_TRUE(seen == image || seen == flipped(image));
      flips += seen == image ? 0 : 1;
    }
    // five standard deviations
    EXPECT_NEAR(flips, chance * kVisits, 5 * std::sqrt(kVisits * chance * (1 - chance))) << chance;
  }
}

/// The crops of `visits` as they are at their own size would need the rectangle; seen through a resize, a picture of
/// coordinates tells it: bilinear filtering of a ramp keeps its mean.
struct Seen {
  double left, right, top, bottom;
};

Seen extent(const Image& image) {
  Seen seen{255, 0, 255, 0};
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    seen.left = std::min<double>(seen.left, image.pixels[i]);
    seen.right = std::max<double>(seen.right, image.pixels[i]);
    seen.top = std::min<double>(seen.top, image.pixels[i + 1]);
    seen.bottom = std::max<double>(seen.bottom, image.pixels[i + 1]);
  }
  return seen;
}

TEST(RandomResizedCrop, StaysWithinScaleAndRatio) {
  DataConfig config = config_of(200);
  config.augment.random_resized_crop = RandomResizedCropConfig{.scale = {0.2, 0.5}, .ratio = {0.5, 2.0}};
  const Transform transform(config, Mode::train);
  const Image image = coordinates(160, 120);
  double least_area = 1, most_area = 0, least_ratio = 9, most_ratio = 0;
  std::set<int> corners;
  for (std::uint64_t i = 0; i < 400; ++i) {
    Rng rng = Rng::stream(1, Purpose::augment, 0, i);
    // enlarged, so that the first and last pixel of the crop are in it as they are
    const Seen seen = extent(transform.augment(image, rng));
    const double width = seen.right - seen.left + 1, height = seen.bottom - seen.top + 1;
    const double area = width * height / (160.0 * 120.0), ratio = width / height;
    least_area = std::min(least_area, area);
    most_area = std::max(most_area, area);
    least_ratio = std::min(least_ratio, ratio);
    most_ratio = std::max(most_ratio, ratio);
    corners.insert(static_cast<int>(seen.left) * 1000 + static_cast<int>(seen.top));
  }
  // sides are rounded to whole pixels
  EXPECT_GT(least_area, 0.2 * 0.97);
  EXPECT_LT(least_area, 0.22);
  EXPECT_LT(most_area, 0.5 * 1.03);
  EXPECT_GT(most_area, 0.48);
  EXPECT_GT(least_ratio, 0.5 * 0.97);
  EXPECT_LT(least_ratio, 0.55);
  EXPECT_LT(most_ratio, 2.0 * 1.03);
  EXPECT_GT(most_ratio, 1.8);
  EXPECT_GT(corners.size(), 300U);
}

TEST(RandomResizedCrop, ReachesEveryCorner) {
  DataConfig config = config_of(64);
  config.augment.random_resized_crop = RandomResizedCropConfig{.scale = {0.25, 0.25}, .ratio = {1.0, 1.0}};
  const Transform transform(config, Mode::train);
  const Image image = coordinates(8, 8);
  std::map<std::pair<int, int>, int> seen;
  constexpr int kVisits = 5000;
  for (std::uint64_t i = 0; i < kVisits; ++i) {
    Rng rng = Rng::stream(2, Purpose::augment, 0, i);
    const Seen found = extent(transform.augment(image, rng));
    ASSERT_EQ(found.right - found.left, 3);
    ASSERT_EQ(found.bottom - found.top, 3);
    ++seen[{static_cast<int>(found.left), static_cast<int>(found.top)}];
  }
  ASSERT_EQ(seen.size(), 25U) << "offsets 0 to 4 on either axis";
  for (const auto& [place, times] : seen) {
    EXPECT_NEAR(times, kVisits / 25, 75);
  }
}

TEST(RandomResizedCrop, IsTheWholePictureIfNothingSmallerIsAskedFor) {
  DataConfig config = config_of(12);
  config.augment.random_resized_crop = RandomResizedCropConfig{.scale = {1.0, 1.0}, .ratio = {1.0, 1.0}};
  const Image image = formula_image(8, 30, 30);
  Rng rng(9);
  EXPECT_EQ(Transform(config, Mode::train).augment(image, rng), resize(image, 12, 12, Interpolation::bilinear));
}

TEST(RandomResizedCrop, FallsBackToTheMiddleAtALegalRatio) {
  // no draw of 100 % of a 40 x 10 picture is square: the largest square is taken from its middle
  DataConfig config = config_of(10);
  config.augment.random_resized_crop = RandomResizedCropConfig{.scale = {1.0, 1.0}, .ratio = {1.0, 1.0}};
  const Transform transform(config, Mode::train);
  const Image wide = formula_image(9, 40, 10), high = formula_image(9, 10, 40);
  Rng rng(1);
  EXPECT_EQ(transform.augment(wide, rng), crop(wide, 15, 0, 10, 10));
  EXPECT_EQ(transform.augment(high, rng), crop(high, 0, 15, 10, 10));
}

TEST(RandomResizedCrop, APictureOfOnePixelsWidthIsStillCropped) {
  DataConfig config = config_of(4);
  config.augment.random_resized_crop = RandomResizedCropConfig{.scale = {1.0, 1.0}, .ratio = {3.0, 4.0}};
  Image line(1, 100);
  std::fill(line.pixels.begin(), line.pixels.end(), std::uint8_t{200});
  Rng rng(1);
  for (const auto value : Transform(config, Mode::train).augment(line, rng).pixels) {
    ASSERT_EQ(value, 200) << "an empty crop would be black";
  }
}

TEST(Transform, IsAFunctionOfTheStream) {
  DataConfig config = config_of(16);
  config.augment.flip = 0.5;
  config.augment.random_resized_crop = RandomResizedCropConfig{};
  const Transform transform(config, Mode::train);
  const Image image = formula_image(10, 50, 40);
  std::set<std::string> seen;
  for (std::uint64_t i = 0; i < 50; ++i) {
    Rng a = Rng::stream(3, Purpose::augment, 1, i), b = Rng::stream(3, Purpose::augment, 1, i);
    const Image first = transform.augment(image, a);
    ASSERT_EQ(first, transform.augment(image, b));
    seen.insert(test::pixel_hash(first));
  }
  EXPECT_EQ(seen.size(), 50U);
}

TEST(TransformReduction, NeverAsksForLessThanIsResizedTo) {
  DataConfig config;
  config.image_size = 100;
  EXPECT_FALSE(Transform(config, Mode::eval).reduction()) << "exact";
  config.decode = Decode::fast;
  const auto eighths = [&](std::int64_t width, std::int64_t height, Mode mode) {
    return Transform(config, mode).reduction()(width, height);
  };
  EXPECT_EQ(eighths(800, 5000, Mode::eval), 1);
  EXPECT_EQ(eighths(799, 5000, Mode::eval), 2);
  EXPECT_EQ(eighths(400, 400, Mode::eval), 2);
  EXPECT_EQ(eighths(399, 400, Mode::eval), 3);
  EXPECT_EQ(eighths(1000, 200, Mode::eval), 4);
  EXPECT_EQ(eighths(199, 199, Mode::eval), 5);
  EXPECT_EQ(eighths(115, 300, Mode::eval), 7);
  EXPECT_EQ(eighths(114, 300, Mode::eval), 8);
  EXPECT_EQ(eighths(10, 10, Mode::eval), 8);
  config.resize = ResizeMode::center_crop;
  config.resize_size = 150;
  EXPECT_EQ(eighths(300, 900, Mode::eval), 4);
  EXPECT_EQ(eighths(299, 900, Mode::eval), 5);
  config.augment.random_resized_crop = RandomResizedCropConfig{{0.25, 1.0}, {0.75, 4.0 / 3.0}};
  EXPECT_EQ(eighths(400, 900, Mode::train), 4) << "the smallest crop is half as wide";
  EXPECT_EQ(eighths(399, 900, Mode::train), 5);
}

}  // namespace
}  // namespace effnetv2
