#include "effnetv2/data/statistics.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <opencv2/imgcodecs.hpp>

#include "effnetv2/core/error.h"
#include "effnetv2/data/resize.h"

#include "support/image_golden.h"
#include "support/temp_dir.h"

namespace effnetv2 {
namespace {

using test::random_image;
using test::TempDir;
using ::testing::HasSubstr;

class StatisticsThreads : public ::testing::Test {
 protected:
  void save(const std::string& name, const Image& image) {
    std::filesystem::create_directories((root / name).parent_path());
    cv::Mat bgr(static_cast<int>(image.height), static_cast<int>(image.width), CV_8UC3);
    for (std::size_t i = 0; i < image.pixels.size(); ++i) {
      bgr.data[i / 3 * 3 + 2 - i % 3] = image.pixels[i];
    }
    cv::imwrite((root / name).string(), bgr);
  }
  void save_grey(const std::string& name, int width, int height, int value) {
    std::filesystem::create_directories((root / name).parent_path());
    cv::imwrite((root / name).string(), cv::Mat(height, width, CV_8UC1, cv::Scalar(value)));
  }
  static Image constant(std::int64_t width, std::int64_t height, std::array<std::uint8_t, 3> color) {
    Image image(width, height);
    for (std::size_t i = 0; i < image.pixels.size(); ++i) {
      image.pixels[i] = color[i % 3];
    }
    return image;
  }

  TempDir root;
};

TEST_F(StatisticsThreads, MeanAndDeviationByHand) {
  save("a/1.png", constant(4, 4, {0, 51, 255}));
  save("b/1.png", constant(4, 4, {255, 102, 255}));
  const Statistics s = measure_images(root.path(), 0, 2);
  EXPECT_DOUBLE_EQ(s.mean[0], 0.5);
  EXPECT_DOUBLE_EQ(s.mean[1], 0.3);
  EXPECT_DOUBLE_EQ(s.mean[2], 1.0);
  EXPECT_DOUBLE_EQ(s.std[0], 0.5);
  EXPECT_NEAR(s.std[1], 0.1, 1e-12);
  EXPECT_NEAR(s.std[2], 0.0, 1e-7);
  EXPECT_EQ(s.images, 2);
}

TEST_F(StatisticsThreads, EveryPixelOfTheResizedImagesCountsAlike) {
  // unequal sizes: as they are, the larger one counts for more
  save("a/1.png", constant(30, 10, {0, 0, 0}));
  save("b/1.png", constant(10, 10, {255, 255, 255}));
  EXPECT_DOUBLE_EQ(measure_images(root.path(), 0, 1).mean[0], 0.25);
  EXPECT_DOUBLE_EQ(measure_images(root.path(), 8, 1).mean[0], 0.5);
}

TEST_F(StatisticsThreads, AreThoseOfTheResizedPixels) {
  Rng rng(1);
  std::array<double, 3> sum{}, squares{};
  double pixels = 0;
  for (int i = 0; i < 12; ++i) {
    const Image image = random_image(rng, static_cast<std::int64_t>(5 + rng.below(40)), 20);
    save((i % 2 == 0 ? "a/" : "b/") + std::to_string(i) + ".png", image);
    const Image small = resize(image, 16, 16, Interpolation::bilinear);
    for (std::size_t k = 0; k < small.pixels.size(); ++k) {
      const double value = small.pixels[k] / 255.0;
      sum[k % 3] += value;
      squares[k % 3] += value * value;
    }
    pixels += 256;
  }
  const Statistics s = measure_images(root.path(), 16, 2);
  for (std::size_t c = 0; c < 3; ++c) {
    const double mean = sum[c] / pixels;
    EXPECT_NEAR(s.mean[c], mean, 1e-12);
    EXPECT_NEAR(s.std[c], std::sqrt(squares[c] / pixels - mean * mean), 1e-12);
  }
}

TEST_F(StatisticsThreads, CountsSizesGreyAndBad) {
  save("a/1.png", constant(7, 30, {1, 2, 3}));
  save("a/2.png", constant(9, 20, {1, 2, 3}));
  save_grey("b/1.png", 40, 5, 100);
  save("b/2.png", constant(8, 8, {9, 9, 9}));  // grey to look at, stored in colour
  root.write("b/bad.jpg", "no picture");
  const Statistics s = measure_images(root.path(), 8, 2);
  EXPECT_EQ(s.images, 4);
  EXPECT_EQ(s.bad, 1);
  EXPECT_EQ(s.greyscale, 1);
  EXPECT_EQ(s.least_width, 7);
  EXPECT_EQ(s.most_width, 40);
  EXPECT_EQ(s.least_height, 5);
  EXPECT_EQ(s.most_height, 30);
  ASSERT_EQ(s.classes.size(), 2U);
  EXPECT_EQ(s.classes[0].name, "a");
  EXPECT_EQ(s.classes[0].images, 2);
  EXPECT_EQ(s.classes[1].images, 2) << "of those that can be decoded";
}

TEST_F(StatisticsThreads, TakeEverySplit) {
  save("train/a/1.png", constant(4, 4, {0, 0, 0}));
  save("train/b/1.png", constant(4, 4, {0, 0, 0}));
  save("val/a/1.png", constant(4, 4, {255, 255, 255}));
  save("val/b/1.png", constant(4, 4, {255, 255, 255}));
  const Statistics s = measure_images(root.path(), 0, 1);
  EXPECT_EQ(s.images, 4);
  EXPECT_EQ(s.classes[0].images, 2);
  EXPECT_DOUBLE_EQ(s.mean[0], 0.5);
}

TEST_F(StatisticsThreads, DoNotDependOnTheNumberOfWorkers) {
  Rng rng(2);
  for (int i = 0; i < 30; ++i) {
    save((i % 2 == 0 ? "a/" : "b/") + std::to_string(i) + ".png", random_image(rng, 10, 10 + i));
  }
  const Statistics expected = measure_images(root.path(), 0, 1);
  for (const int workers : {0, 2, 7}) {
    const Statistics s = measure_images(root.path(), 0, workers);
    EXPECT_EQ(s.mean, expected.mean) << workers;
    EXPECT_EQ(s.std, expected.std) << workers;
  }
}

TEST_F(StatisticsThreads, NothingToMeasureIsAnError) {
  root.write("a/1.jpg", "no picture");
  root.write("b/1.jpg", "no picture");
  try {
    measure_images(root.path(), 8, 2);
    FAIL();
  } catch (const DataError& e) {
    EXPECT_THAT(e.what(), HasSubstr("not one of its 2 images"));
  }
  EXPECT_THROW(measure_images(root / "gone", 8, 2), DataError);
}

}  // namespace
}  // namespace effnetv2
