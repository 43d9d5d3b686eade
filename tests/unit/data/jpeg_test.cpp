#include "effnetv2/data/jpeg.h"

#include <array>
#include <cmath>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

#include "effnetv2/core/cpu_features.h"
#include "effnetv2/core/file.h"
#include "effnetv2/data/decode.h"

#include "support/image_golden.h"
#include "support/jpeg_writer.h"

namespace effnetv2 {
namespace {

using test::JpegLayout;
using test::random_image;
using test::write_jpeg;

using Sampling = std::vector<std::array<int, 2>>;

const std::array<Sampling, 7> kSamplings{{
    {{1, 1}, {1, 1}, {1, 1}},  // 4:4:4
    {{2, 1}, {1, 1}, {1, 1}},  // 4:2:2
    {{2, 2}, {1, 1}, {1, 1}},  // 4:2:0
    {{1, 2}, {1, 1}, {1, 1}},  // 4:4:0
    {{4, 1}, {1, 1}, {1, 1}},  // 4:1:1
    {{2, 2}, {2, 1}, {1, 2}},
    {{1, 1}, {2, 2}, {1, 1}},  // the luma is the one that is subsampled
}};
constexpr std::array<std::array<int, 2>, 6> kSizes{{{1, 1}, {17, 9}, {8, 8}, {16, 16}, {33, 70}, {131, 77}}};

/// Soft waves, which a smaller picture can hold.
Image waves(std::int64_t width, std::int64_t height) {
  Image image(width, height);
  auto* pixel = image.pixels.data();
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      const auto a = static_cast<double>(x), b = static_cast<double>(y);
      *pixel++ = static_cast<std::uint8_t>(128 + 90 * std::sin(a * 0.05));
      *pixel++ = static_cast<std::uint8_t>(128 + 90 * std::cos(b * 0.06));
      *pixel++ = static_cast<std::uint8_t>(120 + 60 * std::sin((a + b) * 0.04));
    }
  }
  return image;
}

std::string encode(const Image& image, const std::vector<int>& parameters) {
  cv::Mat bgr(static_cast<int>(image.height), static_cast<int>(image.width), CV_8UC3);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    bgr.data[i / 3 * 3 + 2 - i % 3] = image.pixels[i];
  }
  std::vector<std::uint8_t> bytes;
  cv::imencode(".jpg", bgr, bytes, parameters);
  return {bytes.begin(), bytes.end()};
}

std::optional<Image> decode_at(const std::string& bytes, int eighths) {
  return decode_jpeg(bytes, [eighths](auto, auto) { return eighths; });
}

/// How much of [begin, end) lies in the pixel from `at` on; the last pixel reaches to infinity.
double overlap(double begin, double end, std::int64_t at, std::int64_t pixels) {
  const auto from = static_cast<double>(at);
  const double to = at == pixels - 1 ? end : from + 1;
  return std::max(0.0, std::min(end, to) - std::max(begin, from));
}

/// The means of the pixels that each pixel of a picture of `eighths` stands for, the edge of the picture repeated.
std::vector<double> means(const Image& whole, int eighths) {
  const auto width = (whole.width * eighths + 7) / 8, height = (whole.height * eighths + 7) / 8;
  const double side = 8.0 / eighths;
  std::vector<double> result;
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      const double left = static_cast<double>(x) * side, top = static_cast<double>(y) * side;
      for (std::int64_t c = 0; c < 3; ++c) {
        double sum = 0;
        for (auto v = std::min(static_cast<std::int64_t>(top), whole.height - 1); v < whole.height; ++v) {
          const double weight = overlap(top, top + side, v, whole.height);
          for (auto u = std::min(static_cast<std::int64_t>(left), whole.width - 1); weight > 0 && u < whole.width;
               ++u) {
            const double share = overlap(left, left + side, u, whole.width);
            if (share == 0) {
              break;
            }
            sum += weight * share * whole.pixels[static_cast<std::size_t>((v * whole.width + u) * 3 + c)];
          }
        }
        result.push_back(sum / (side * side));
      }
    }
  }
  return result;
}

struct Difference {
  double most = 0, mean = 0;
};

Difference difference(const Image& image, const std::vector<double>& expected) {
  Difference found;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double one = std::abs(image.pixels[i] - expected[i]);
    found.most = std::max(found.most, one);
    found.mean += one / static_cast<double>(expected.size());
  }
  return found;
}

/// `bytes` at every size, with the mean error at most `mean` and no error more than `most`.
void expect_means(const std::string& bytes, double mean, double most) {
  const Image whole = decode_image(bytes, "jpeg");
  for (int eighths = 1; eighths <= 8; ++eighths) {
    SCOPED_TRACE(std::to_string(eighths) + " eighths of " + std::to_string(whole.width) + " x " +
                 std::to_string(whole.height));
    const auto image = decode_at(bytes, eighths);
    ASSERT_TRUE(image);
    ASSERT_EQ(image->width, (whole.width * eighths + 7) / 8);
    ASSERT_EQ(image->height, (whole.height * eighths + 7) / 8);
    const Difference found = difference(*image, means(whole, eighths));
    EXPECT_LE(found.mean, mean);
    EXPECT_LE(found.most, most);
  }
}

TEST(Jpeg, IsTheMeanOfPixelsAtAnySamplingAndSize) {
  for (const auto& sampling : kSamplings) {
    for (const auto& [width, height] : kSizes) {
      SCOPED_TRACE(std::to_string(sampling[0][0]) + "x" + std::to_string(sampling[0][1]));
      expect_means(write_jpeg(waves(width, height), {sampling}), 1.75, 8.0);
    }
  }
}

TEST(Jpeg, GreyOfAnySamplingIsGrey) {
  for (const auto& [width, height] : kSizes) {
    expect_means(write_jpeg(waves(width, height), {{{1, 1}}}), 0.7, 4.0);
    expect_means(write_jpeg(waves(width, height), {{{2, 3}}}), 0.7, 4.0);
  }
}

TEST(Jpeg, ReadsWhatLibjpegWritesAtAnyQuality) {
  for (const int quality : {10, 50, 90, 100}) {
    for (const int optimize : {0, 1}) {
      for (const int restart : {0, 1, 5}) {
        SCOPED_TRACE(quality);
        expect_means(encode(waves(203, 154), {cv::IMWRITE_JPEG_QUALITY, quality, cv::IMWRITE_JPEG_OPTIMIZE, optimize,
                                              cv::IMWRITE_JPEG_RST_INTERVAL, restart}),
                     quality == 10 ? 2.5 : 1.5, quality == 10 ? 30.0 : 14.0);
      }
    }
  }
}

TEST(Jpeg, WithoutSubsamplingTheWholePictureIsThatOfLibjpeg) {
  Rng rng(1);
  for (const auto& [width, height] : kSizes) {
    for (const int quantizer : {1, 20}) {  // noise: every frequency, and long codes
      const std::string bytes = write_jpeg(random_image(rng, width, height), {.quantizer = quantizer});
      const Image whole = decode_image(bytes, "jpeg");
      const auto image = decode_at(bytes, 8);
      ASSERT_TRUE(image);
      ASSERT_EQ(image->pixels.size(), whole.pixels.size());
      for (std::size_t i = 0; i < whole.pixels.size(); ++i) {
        ASSERT_NEAR(image->pixels[i], whole.pixels[i], 3) << "rounded once, not three times";
      }
    }
  }
}

TEST(Jpeg, GreyNoiseWithLongCodesIsReadToItsEnd) {
  Rng rng(2);
  Image noise(77, 50);
  for (std::size_t i = 0; i < noise.pixels.size(); i += 3) {
    std::fill_n(noise.pixels.begin() + static_cast<std::ptrdiff_t>(i), 3, static_cast<std::uint8_t>(rng.next()));
  }
  for (const int optimize : {0, 1}) {
    const std::string bytes = encode(noise, {cv::IMWRITE_JPEG_QUALITY, 100, cv::IMWRITE_JPEG_OPTIMIZE, optimize});
    for (int eighths = 1; eighths < 8; ++eighths) {
      EXPECT_TRUE(decode_at(bytes, eighths));
    }
    const auto image = decode_at(bytes, 8);
    ASSERT_TRUE(image);
    EXPECT_LT(difference(*image, means(decode_image(bytes, "jpeg"), 8)).most, 4.0);
  }
}

TEST(Jpeg, RestartsChangeNothing) {
  const Image image = waves(100, 60);
  for (const auto& sampling : kSamplings) {
    const auto plain = write_jpeg(image, {sampling});
    for (const int interval : {1, 3, 1000}) {
      const auto restarted = write_jpeg(image, {sampling, 2, interval});
      EXPECT_EQ(decode_at(restarted, 3), decode_at(plain, 3));
    }
  }
}

TEST(Jpeg, IsTheSameAtEveryInstructionSet) {
  Rng rng(3);
  for (const auto& sampling : kSamplings) {
    const std::string bytes = write_jpeg(random_image(rng, 150, 33), {sampling});
    for (int eighths = 1; eighths <= 8; ++eighths) {
      const auto expected = decode_at(bytes, eighths);
      for (const CpuLevel level : supported_cpu_levels()) {
        const CpuLevelGuard guard(level);
        EXPECT_EQ(decode_at(bytes, eighths), expected) << to_string(level);
      }
    }
  }
}

TEST(Jpeg, AsksForTheReductionOfTheStoredSize) {
  const auto image = decode_jpeg(write_jpeg(waves(50, 30)), [](std::int64_t width, std::int64_t height) {
    EXPECT_EQ(width, 50);
    EXPECT_EQ(height, 30);
    return 4;
  });
  ASSERT_TRUE(image);
  EXPECT_EQ(image->width, 25);
}

TEST(Jpeg, LeavesOtherKindsToOthers) {
  const Image image = waves(40, 30);
  EXPECT_TRUE(decode_at(encode(image, {}), 4));
  EXPECT_FALSE(decode_at(encode(image, {cv::IMWRITE_JPEG_PROGRESSIVE, 1}), 4));
  for (const auto& one : test::read_image_golden("jpeg")) {
    const auto name = one["name"].get<std::string>();
    const bool other = name == "cmyk" || name.find("progressive") != std::string::npos;
    EXPECT_EQ(decode_at(test::from_base64(one["file"].get<std::string>()), 4).has_value(), !other) << name;
  }
  EXPECT_FALSE(decode_at(write_jpeg(image, {{{3, 1}, {2, 1}, {1, 1}}}), 4)) << "factors that do not divide each other";
  EXPECT_FALSE(decode_at(write_jpeg(image, {{{4, 2}, {1, 2}, {1, 1}}}), 4)) << "more than ten blocks";
  std::string rgb = write_jpeg(image);
  rgb.insert(2, std::string("\xFF\xEE\0\x0E"
                            "Adobe\0\x64\0\0\0\0\0",
                            16));
  EXPECT_FALSE(decode_at(rgb, 4));
}

TEST(Jpeg, NothingMayBeMissingOrLeftOver) {
  const std::string bytes = write_jpeg(waves(30, 20), {.restart_interval = 2});
  ASSERT_TRUE(decode_at(bytes, 3));
  EXPECT_TRUE(decode_at(bytes + "behind the end", 3));
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    ASSERT_FALSE(decode_at(bytes.substr(0, length), 3)) << length;
  }
  std::string longer = bytes;
  longer.insert(longer.size() - 2, "junk");
  EXPECT_FALSE(decode_at(longer, 3));
  std::string disordered = bytes;
  disordered[disordered.rfind("\xFF\xD1") + 1] = '\xD2';
  EXPECT_FALSE(decode_at(disordered, 3));
}

/// Whatever `bytes` are.
void expect_nothing_or_the_right_size(const std::string& bytes, int eighths) {
  std::int64_t width = 0, height = 0;
  const auto image = decode_jpeg(bytes, [&](std::int64_t w, std::int64_t h) {
    width = (w * eighths + 7) / 8;
    height = (h * eighths + 7) / 8;
    return eighths;
  });
  if (image) {
    ASSERT_EQ(image->width, width);
    ASSERT_EQ(image->height, height);
    ASSERT_EQ(image->pixels.size(), static_cast<std::size_t>(width * height * 3));
  }
}

TEST(Jpeg, DamageGivesNothingOrAPictureOfTheRightSize) {
  Rng rng(4);
  const std::string optimized = encode(waves(45, 37), {cv::IMWRITE_JPEG_OPTIMIZE, 1});
  for (const auto& sampling : kSamplings) {
    const std::string bytes = write_jpeg(waves(45, 37), {sampling, 3, 2});
    for (int i = 0; i < 1500; ++i) {
      std::string damaged = i % 2 == 0 ? bytes : optimized;
      // half of the damage where the tables are
      damaged[rng.below(i % 4 < 2 ? damaged.size() : std::min<std::size_t>(700, damaged.size()))] =
          static_cast<char>(rng.next());
      expect_nothing_or_the_right_size(damaged, static_cast<int>(1 + rng.below(8)));
    }
  }
}

TEST(Jpeg, WhatTheFuzzerMadeGivesNothingOrAPictureOfTheRightSize) {
  int files = 0;
  for (const auto& file :
       std::filesystem::directory_iterator(std::string(EFFNETV2_SOURCE_DIR) + "/tests/fuzz/corpus/jpeg")) {
    const std::string bytes = read_file(file.path());
    for (int eighths = 1; eighths <= 8; ++eighths) {
      expect_nothing_or_the_right_size(bytes, eighths);
    }
    ++files;
  }
  EXPECT_GT(files, 100);
}

TEST(Jpeg, MorePixelsThanTheDataCanHoldAreNotTriedAt) {
  const auto refuse = [](auto, auto) -> int { throw std::logic_error("asked for a size"); };
  for (const char* size : {"\x75\x30\x75\x30", "\x30\x39\x30\x39"}) {  // the second is within kMaxPixels
    std::string bytes = write_jpeg(waves(8, 8));
    bytes.replace(bytes.find("\xFF\xC0") + 5, 4, size);
    EXPECT_FALSE(decode_jpeg(bytes, refuse));
  }
}

}  // namespace
}  // namespace effnetv2
