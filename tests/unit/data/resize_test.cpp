#include "effnetv2/data/resize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "effnetv2/core/cpu_features.h"

#include "support/image_golden.h"

namespace effnetv2 {
namespace {

using test::formula_image;
using test::random_image;
using test::read_image_golden;
using test::same_pixels;

constexpr std::array kInterpolations{Interpolation::bilinear, Interpolation::bicubic};

Interpolation interpolation_of(const nlohmann::json& one) {
  return one["interpolation"] == "bicubic" ? Interpolation::bicubic : Interpolation::bilinear;
}

Image source_of(const nlohmann::json& one) {
  return formula_image(one["seed"], one["from"][0], one["from"][1]);
}

std::int64_t side(Rng& rng, std::uint64_t most) {
  return static_cast<std::int64_t>(1 + rng.below(most));
}

Image constant(std::int64_t width, std::int64_t height, std::array<std::uint8_t, 3> color) {
  Image image(width, height);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = color[i % 3];
  }
  return image;
}

/// Rows become columns.
Image transposed(const Image& image) {
  Image out(image.height, image.width);
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      std::copy_n(&image.pixels[static_cast<std::size_t>((y * image.width + x) * 3)], 3,
                  &out.pixels[static_cast<std::size_t>((x * out.width + y) * 3)]);
    }
  }
  return out;
}

TEST(Resize, IsPillowsToTheLastBit) {
  for (const char* name : {"resize_bilinear", "resize_bicubic"}) {
    const auto golden = read_image_golden(name);
    ASSERT_GT(golden["cases"].size(), 100U);
    for (const auto& one : golden["cases"]) {
      const Image image = resize(source_of(one), one["to"][0], one["to"][1], interpolation_of(golden));
      ASSERT_EQ(image.width, one["to"][0]);
      ASSERT_EQ(image.height, one["to"][1]);
      ASSERT_TRUE(same_pixels(image, one)) << name << ": " << one["from"] << " to " << one["to"];
    }
  }
}

/// The plain twin of the vectorised passes: one axis of Pillow's resize, a weighted sum at a time.
Image plainly_resized_rows(const Image& in, std::int64_t width, Interpolation interpolation) {
  const double scale = static_cast<double>(in.width) / static_cast<double>(width), wider = std::max(scale, 1.0);
  const double support = (interpolation == Interpolation::bilinear ? 1.0 : 2.0) * wider;
  const auto filter = [&](double x) {
    x = std::abs(x);
    if (interpolation == Interpolation::bilinear) {
      return std::max(0.0, 1.0 - x);
    }
    return x < 1.0 ? (1.5 * x - 2.5) * x * x + 1 : x < 2.0 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0.0;
  };
  Image out(width, in.height);
  for (std::int64_t x = 0; x < width; ++x) {
    const double center = (static_cast<double>(x) + 0.5) * scale;
    const auto begin = std::max<std::int64_t>(0, static_cast<std::int64_t>(center - support + 0.5));
    const auto end = std::min(in.width, static_cast<std::int64_t>(center + support + 0.5));
    std::vector<double> weights;
    double sum = 0;
    for (auto i = begin; i < end; ++i) {
      weights.push_back(filter((static_cast<double>(i) - center + 0.5) * (1.0 / wider)));
      sum += weights.back();
    }
    for (std::int64_t i = 0; i < in.height * 3; ++i) {
      std::int64_t total = 1 << 21;
      for (std::size_t k = 0; k < weights.size(); ++k) {
        const double weight = (sum != 0 ? weights[k] / sum : weights[k]) * (1 << 22);
        total +=
            static_cast<std::int64_t>(weight < 0 ? weight - 0.5 : weight + 0.5) *
            in.pixels[static_cast<std::size_t>((i / 3 * in.width + begin + static_cast<std::int64_t>(k)) * 3 + i % 3)];
      }
      out.pixels[static_cast<std::size_t>((i / 3 * width + x) * 3 + i % 3)] =
          static_cast<std::uint8_t>(std::clamp<std::int64_t>(total >> 22, 0, 255));
    }
  }
  return out;
}

TEST(Resize, IsThatOfItsPlainTwinAtEveryInstructionSet) {
  Rng rng(8);
  for (int i = 0; i < 200; ++i) {
    const Image image = random_image(rng, side(rng, 90), side(rng, 90));
    const auto width = side(rng, 90), height = side(rng, 90);
    for (const auto interpolation : kInterpolations) {
      Image expected = width == image.width ? image : plainly_resized_rows(image, width, interpolation);
      if (height != image.height) {
        expected = transposed(plainly_resized_rows(transposed(expected), height, interpolation));
      }
      for (const CpuLevel level : supported_cpu_levels()) {
        const CpuLevelGuard guard(level);
        ASSERT_EQ(resize(image, width, height, interpolation), expected)
            << to_string(level) << ": " << image.width << "x" << image.height << " to " << width << "x" << height;
      }
    }
  }
}

TEST(Resize, ToItsOwnSizeIsTheImage) {
  Rng rng(1);
  for (int i = 0; i < 50; ++i) {
    const Image image = random_image(rng, side(rng, 40), side(rng, 40));
    for (const auto interpolation : kInterpolations) {
      ASSERT_EQ(resize(image, image.width, image.height, interpolation), image);
    }
  }
}

TEST(Resize, AConstantImageStaysConstant) {
  Rng rng(2);
  for (int i = 0; i < 300; ++i) {
    const std::array<std::uint8_t, 3> color{static_cast<std::uint8_t>(rng.next()), 0, 255};
    const auto width = side(rng, 120), height = side(rng, 120), to_width = side(rng, 120), to_height = side(rng, 120);
    for (const auto interpolation : kInterpolations) {
      ASSERT_EQ(resize(constant(width, height, color), to_width, to_height, interpolation),
                constant(to_width, to_height, color))
          << width << "x" << height << " to " << to_width << "x" << to_height;
    }
  }
}

TEST(Resize, BilinearStaysWithinTheImagesRange) {
  Rng rng(3);
  for (int i = 0; i < 200; ++i) {
    Image image = random_image(rng, side(rng, 50), side(rng, 50));
    for (auto& value : image.pixels) {
      value = static_cast<std::uint8_t>(60 + value % 100);
    }
    const auto [least, most] = std::ranges::minmax(image.pixels);
    const auto found = std::ranges::minmax(resize(image, side(rng, 50), side(rng, 50), Interpolation::bilinear).pixels);
    ASSERT_GE(found.min, least);
    ASSERT_LE(found.max, most);
  }
}

TEST(Resize, BicubicRingsAndIsClipped) {
  Image edge(8, 1);
  std::fill(edge.pixels.begin() + 12, edge.pixels.end(), std::uint8_t{200});
  const auto found = std::ranges::minmax(resize(edge, 40, 1, Interpolation::bicubic).pixels);
  EXPECT_EQ(found.min, 0);
  EXPECT_GT(found.max, 200);
  std::fill(edge.pixels.begin() + 12, edge.pixels.end(), std::uint8_t{255});
  const Image ringing = resize(edge, 40, 1, Interpolation::bicubic);
  for (std::size_t x = 0; x < 40; ++x) {
    if (x <= 17 || x >= 22) {
      EXPECT_EQ(ringing.pixels[x * 3], x <= 17 ? 0 : 255) << "at " << x;
    }
  }
}

TEST(Resize, AntialiasesWhatPlainSamplingWouldMiss) {
  // lines of one pixel in 64: an unfiltered resize sees black or white
  Image lines(512, 4);
  for (std::size_t i = 0; i < lines.pixels.size(); ++i) {
    lines.pixels[i] = (i / 3) % 64 == 0 ? 255 : 0;
  }
  const auto found = std::ranges::minmax(resize(lines, 8, 4, Interpolation::bilinear).pixels);
  EXPECT_GT(found.min, 0);
  EXPECT_LT(found.max, 16);
}

TEST(Resize, OfAMirroredImageIsMirrored) {
  Rng rng(4);
  for (int i = 0; i < 100; ++i) {
    const Image image = random_image(rng, side(rng, 60), side(rng, 60));
    const auto width = side(rng, 60), height = side(rng, 60);
    for (const auto interpolation : kInterpolations) {
      Image mirrored = image;
      flip_horizontal(mirrored);
      Image a = resize(mirrored, width, height, interpolation);
      flip_horizontal(a);
      const Image b = resize(image, width, height, interpolation);
      for (std::size_t k = 0; k < a.pixels.size(); ++k) {
        ASSERT_NEAR(a.pixels[k], b.pixels[k], 1) << "weights are rounded on either side of the middle";
      }
    }
  }
}

TEST(Resize, BothAxesAreFilteredAlike) {
  // one axis at a time: with both, the first pass rounds before the second
  Rng rng(5);
  for (int i = 0; i < 100; ++i) {
    const Image image = random_image(rng, side(rng, 60), side(rng, 60));
    const auto width = side(rng, 60);
    for (const auto interpolation : kInterpolations) {
      ASSERT_EQ(resize(transposed(image), image.height, width, interpolation),
                transposed(resize(image, width, image.height, interpolation)));
    }
  }
}

TEST(ResizeShorterSide, AndCenterCropAreTorchvisionsToTheLastBit) {
  const auto golden = read_image_golden("shorter_side");
  ASSERT_GT(golden.size(), 100U);
  for (const auto& one : golden) {
    const Image image = resize_shorter_side(source_of(one), one["size"], interpolation_of(one));
    ASSERT_EQ(image.width, one["resized"][0]) << one["from"] << " to " << one["size"];
    ASSERT_EQ(image.height, one["resized"][1]) << one["from"] << " to " << one["size"];
    ASSERT_TRUE(same_pixels(center_crop(image, one["crop"], one["crop"]), one))
        << one["from"] << " to " << one["size"] << ", crop " << one["crop"];
  }
}

TEST(CenterCrop, IsTorchvisionsForLargerAndSmallerImages) {
  for (const auto& one : read_image_golden("center_crop")) {
    ASSERT_TRUE(same_pixels(center_crop(source_of(one), one["to"][0], one["to"][1]), one))
        << one["from"] << " to " << one["to"];
  }
}

TEST(CenterCrop, RoundsHalfToEven) {
  Image row(9, 1);
  for (std::size_t i = 0; i < row.pixels.size(); ++i) {
    row.pixels[i] = static_cast<std::uint8_t>(i / 3);
  }
  EXPECT_EQ(center_crop(row, 8, 1).pixels.front(), 0);  // 0.5
  EXPECT_EQ(center_crop(row, 6, 1).pixels.front(), 2);  // 1.5
  EXPECT_EQ(center_crop(row, 4, 1).pixels.front(), 2);  // 2.5
  EXPECT_EQ(center_crop(row, 2, 1).pixels.front(), 4);  // 3.5
  EXPECT_EQ(center_crop(row, 5, 1).pixels.front(), 2);
}

TEST(Crop, TakesPixelsWhereTheyAreAndBlackElsewhere) {
  Rng rng(6);
  for (int i = 0; i < 300; ++i) {
    const Image image = random_image(rng, side(rng, 12), side(rng, 12));
    const auto left = side(rng, 40) - 20, top = side(rng, 40) - 20;
    const Image part = crop(image, left, top, side(rng, 15), side(rng, 15));
    for (std::int64_t y = 0; y < part.height; ++y) {
      for (std::int64_t x = 0; x < part.width; ++x) {
        const auto from_x = x + left, from_y = y + top;
        const bool inside = from_x >= 0 && from_x < image.width && from_y >= 0 && from_y < image.height;
        for (std::int64_t c = 0; c < 3; ++c) {
          const int expected =
              inside ? image.pixels[static_cast<std::size_t>((from_y * image.width + from_x) * 3 + c)] : 0;
          ASSERT_EQ(part.pixels[static_cast<std::size_t>((y * part.width + x) * 3 + c)], expected);
        }
      }
    }
  }
}

TEST(FlipHorizontal, MirrorsAndTwiceIsNothing) {
  Rng rng(7);
  for (int i = 0; i < 100; ++i) {
    const Image image = random_image(rng, side(rng, 20), side(rng, 20));
    Image flipped = image;
    flip_horizontal(flipped);
    for (std::int64_t y = 0; y < image.height; ++y) {
      for (std::int64_t x = 0; x < image.width; ++x) {
        for (std::int64_t c = 0; c < 3; ++c) {
          ASSERT_EQ(flipped.pixels[static_cast<std::size_t>((y * image.width + x) * 3 + c)],
                    image.pixels[static_cast<std::size_t>((y * image.width + image.width - 1 - x) * 3 + c)]);
        }
      }
    }
    flip_horizontal(flipped);
    ASSERT_EQ(flipped, image);
  }
}

}  // namespace
}  // namespace effnetv2
