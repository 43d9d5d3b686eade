#include "effnetv2/data/decode.h"

#include <array>
#include <cmath>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <sys/resource.h>
#include <sys/stat.h>

#include "effnetv2/core/error.h"

#include "support/capture_stderr.h"
#include "support/image_golden.h"
#include "support/temp_dir.h"

namespace effnetv2 {
namespace {

using test::CaptureStderr;
using test::from_base64;
using test::read_image_golden;
using test::same_pixels;
using test::TempDir;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::array kFormats{"jpeg", "png", "bmp", "webp"};

struct Example {
  std::string name, bytes;
  nlohmann::json golden;
};

/// Every encoded file of the goldens.
std::vector<Example> examples(const std::string& format) {
  std::vector<Example> result;
  for (const auto& one : read_image_golden(format)) {
    result.push_back(
        {format + ": " + one["name"].get<std::string>(), from_base64(one["file"].get<std::string>()), one});
  }
  return result;
}

std::string example(const std::string& format, const std::string& name) {
  for (const auto& one : examples(format)) {
    if (one.golden["name"] == name) {
      return one.bytes;
    }
  }
  throw std::runtime_error("no example " + name);
}

/// What decode_image says about `bytes`, "" if it accepts them.
std::string refusal(const std::string& bytes) {
  try {
    decode_image(bytes, "some.jpg");
    return "";
  } catch (const DataError& e) {
    return e.what();
  }
}

std::int64_t peak_kilobytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

std::string big(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

/// A PNG chunk with its checksum.
std::string chunk(const std::string& kind, const std::string& data) {
  std::uint32_t sum = 0xFFFFFFFFu;
  for (const char c : kind + data) {
    sum ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) {
      sum = (sum & 1) != 0 ? 0xEDB88320u ^ (sum >> 1) : sum >> 1;
    }
  }
  return big(static_cast<std::uint32_t>(data.size())) + kind + data + big(~sum);
}

// Exact for JPEG too: libjpeg-turbo's inverse transform is an integer one, the same bits on every machine.
TEST(Decode, GivesPillowsPixels) {
  for (const auto* format : kFormats) {
    const auto all = examples(format);
    ASSERT_GE(all.size(), 5U);
    for (const auto& [name, bytes, golden] : all) {
      const CaptureStderr noise;
      const Image image = decode_image(bytes, name);
      EXPECT_EQ(image.width, golden["width"]) << name;
      EXPECT_EQ(image.height, golden["height"]) << name;
      EXPECT_TRUE(same_pixels(image, golden, golden["tolerance"])) << name;
      EXPECT_EQ(noise.text(), "") << name;
    }
  }
}

TEST(Decode, OnlyCmykHasATolerance) {
  for (const auto* format : kFormats) {
    for (const auto& [name, bytes, golden] : examples(format)) {
      EXPECT_EQ(golden["tolerance"], name == "jpeg: cmyk" ? 2 : 0) << name;
    }
  }
}

TEST(Decode, AFileIsItsBytesWhateverItsName) {
  const TempDir folder;
  for (const auto* format : kFormats) {
    const Example one = examples(format).front();
    for (const char* name : {"a.jpg", "a.PNG", "a.webp", "a", "new\nline.bmp", "not\xFFutf8.jpeg"}) {
      const auto path = folder.write(name, one.bytes);
      EXPECT_TRUE(same_pixels(decode_image(path), one.golden)) << one.name << " as " << name;
    }
  }
}

TEST(Decode, TheHeaderSaysWhatIsStored) {
  const TempDir folder;
  for (const auto* format : kFormats) {
    for (const auto& [name, bytes, golden] : examples(format)) {
      const ImageHeader header = read_image_header(folder.write("image", bytes));
      EXPECT_EQ(header.width, golden["width"]) << name;
      EXPECT_EQ(header.height, golden["height"]) << name;
      EXPECT_EQ(header.channels, golden["channels"]) << name;
    }
  }
}

TEST(Decode, TruncatedAnywhereIsABadImage) {
  const CaptureStderr noise;
  for (const auto* format : kFormats) {
    for (const auto& [name, bytes, golden] : examples(format)) {
      if (name.ends_with("behind its end")) {
        continue;  // whole without its last bytes
      }
      for (std::size_t length = 0; length < bytes.size(); ++length) {
        const std::string message = refusal(bytes.substr(0, length));
        ASSERT_THAT(message, HasSubstr("some.jpg: ")) << name << ", " << length << " of " << bytes.size() << " bytes";
      }
    }
  }
  EXPECT_EQ(noise.text(), "");
}

TEST(Decode, MissingRowsAreSeenThoughTheDecoderFillsThemIn) {
  // an image large enough that its data is not the last thing in one read
  const std::string bytes = example("jpeg", "best quality");
  EXPECT_THAT(refusal(bytes.substr(0, bytes.size() - 2)), HasSubstr("is truncated"));
  EXPECT_THAT(refusal(bytes.substr(0, bytes.size() / 2)), HasSubstr("is truncated"));
  EXPECT_EQ(refusal(bytes), "");
}

TEST(Decode, DamageAnywhereNeverCrashes) {
  Rng rng(1);
  for (const auto* format : kFormats) {
    for (const auto& [name, bytes, golden] : examples(format)) {
      const CaptureStderr quiet;  // libjpeg comments on damaged pictures
      for (std::size_t at = 0; at < bytes.size(); at += 1 + rng.below(4)) {
        std::string damaged = bytes;
        damaged[at] = static_cast<char>(rng.next());
        try {
          const Image image = decode_image(damaged, name);
          ASSERT_EQ(image.pixels.size(), static_cast<std::size_t>(image.width * image.height * 3));
        } catch (const DataError&) {
        }
      }
    }
  }
}

TEST(Decode, AChangedBitOfAPngIsSeen) {
  const CaptureStderr noise;
  const std::string bytes = example("png", "rgb");
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    EXPECT_NE(refusal(damaged), "") << "byte " << at;
  }
  EXPECT_EQ(noise.text(), "");
}

TEST(Decode, OddMetadataOfAPngIsPassedOverInSilence) {
  const Example one = examples("png").front();
  const std::string header = one.bytes.substr(0, 33), rest = one.bytes.substr(33);
  const std::string odd = chunk("iCCP", std::string("x\0\0no profile", 13)) + chunk("gAMA", big(0)) +
                          chunk("tIME", "now") + chunk("eXIf", "II*") + chunk("quIz", "what is this");
  const CaptureStderr noise;
  EXPECT_TRUE(same_pixels(decode_image(header + odd + rest, one.name), one.golden));
  EXPECT_EQ(noise.text(), "");
}

TEST(Decode, SaysWhatIsWrong) {
  EXPECT_THAT(refusal(""), HasSubstr("some.jpg: is empty"));
  EXPECT_THAT(refusal("<html>404 Not Found</html>"), HasSubstr("some.jpg: is no JPEG, PNG, BMP or WebP"));
  EXPECT_THAT(refusal("GIF89a, and so on"), HasSubstr("is no JPEG, PNG, BMP or WebP"));
  EXPECT_THAT(refusal("\xFF\xD8\xFF\xD9"), HasSubstr("holds no picture data"));
  EXPECT_THAT(refusal(std::string(500, '\0')), HasSubstr("is no JPEG, PNG, BMP or WebP"));
}

TEST(Decode, SaysWhatIsWrongWithAPng) {
  const std::string bytes = example("png", "rgb");
  std::string damaged = bytes;
  damaged[50] = static_cast<char>(damaged[50] ^ 1);
  EXPECT_THAT(refusal(damaged), HasSubstr("wrong checksum of a PNG chunk at byte 33"));
  damaged = bytes;
  damaged[25] = 5;
  EXPECT_THAT(refusal(damaged), HasSubstr("PNG colour type 5"));
}

TEST(Decode, SaysWhatIsWrongWithABmp) {
  const CaptureStderr noise;
  const std::string bytes = example("bmp", "24 bit");
  for (const auto& [at, value] : {std::pair{14, 200}, {14, 0}, {28, 99}, {30, 9}}) {
    std::string damaged = bytes;
    damaged[static_cast<std::size_t>(at)] = static_cast<char>(value);
    EXPECT_THAT(refusal(damaged), HasSubstr("BMP header of"));
  }
  EXPECT_EQ(noise.text(), "");
}

/// OpenCV would hand it to its reader of DICOM, whose asserts end the process.
TEST(Decode, ABrokenWebpWithTheMarkOfAnotherFormatIsRefused) {
  const std::string whole = example("webp", "lossy with alpha");
  ASSERT_GT(whole.size(), 144U);
  std::string damaged = whole;
  damaged.replace(12, 4, "none");
  for (const auto& [at, mark] : {std::pair{128, "DICM"}, {140, "DTED"}}) {
    std::string marked = damaged;
    marked.replace(static_cast<std::size_t>(at), 4, mark);
    EXPECT_THAT(refusal(marked), HasSubstr("mark of another format at byte " + std::to_string(at)));
  }
  damaged = whole;
  damaged.replace(127, 4, "DICM");
  EXPECT_THAT(refusal(damaged), Not(HasSubstr("mark of another format"))) << "no one looks there";
}

TEST(Decode, AnAnimationIsNoPicture) {
  std::string bytes = example("webp", "lossy with alpha");
  ASSERT_EQ(bytes.substr(12, 4), "VP8X");
  bytes[20] = static_cast<char>(bytes[20] | 0x02);
  EXPECT_THAT(refusal(bytes), HasSubstr("some.jpg: is an animation"));
}

TEST(DecodePeakMemory, WhatIsNoFileOrTooLargeIsADataErrorAtOnce) {
  const TempDir folder;
  ASSERT_EQ(::mkfifo((folder / "pipe.jpg").c_str(), 0600), 0);
  std::filesystem::resize_file(folder.write("sparse.jpg", "x"), std::uintmax_t{1} << 40);
  const auto before = peak_kilobytes();
  for (const auto& path : {folder / "pipe.jpg", folder / "sparse.jpg", std::filesystem::path("/dev/zero")}) {
    EXPECT_THROW(decode_image(path), DataError) << path;
    EXPECT_THROW(read_image_header(path), DataError) << path;
  }
  EXPECT_LT(peak_kilobytes() - before, 50'000);
}

TEST(Decode, AMessageIsOnePrintableLine) {
  const TempDir folder;
  for (const char* name : {"new\nline.jpg", "not\xFFutf8.jpg", "esc\x1B[31m.jpg"}) {
    try {
      decode_image(folder.write(name, "text"));
      ADD_FAILURE() << name;
    } catch (const DataError& e) {
      EXPECT_THAT(e.what(), AllOf(Not(HasSubstr("\n")), Not(HasSubstr("\x1B")), Not(HasSubstr("\xFF"))));
      EXPECT_THAT(e.what(), HasSubstr("\\x"));
    }
  }
}

TEST(Decode, AMissingFileOrAFolderIsADataErrorThatNamesIt) {
  const TempDir folder;
  std::filesystem::create_symlink("nowhere", folder / "link.jpg");
  std::filesystem::create_directory(folder / "folder.jpg");
  for (const char* name : {"gone.jpg", "link.jpg", "folder.jpg"}) {
    for (const bool header_only : {false, true}) {
      try {
        header_only ? void(read_image_header(folder / name)) : void(decode_image(folder / name));
        ADD_FAILURE() << name;
      } catch (const DataError& e) {
        EXPECT_THAT(e.what(), HasSubstr((folder / name).string()));
      }
    }
  }
}

TEST(DecodePeakMemory, AHeaderThatPromisesTooMuchIsRefusedCheaply) {
  const std::string png = std::string("\x89PNG\r\n\x1A\n", 8) +
                          chunk("IHDR", big(30000) + big(30000) + std::string("\x08\x02\0\0\0", 5)) +
                          chunk("IDAT", "x") + chunk("IEND", "");
  std::string jpeg = example("jpeg", "baseline 444");
  const auto frame = jpeg.find("\xFF\xC0");
  ASSERT_NE(frame, std::string::npos);
  jpeg.replace(frame + 5, 4, big(30000u << 16 | 30000u));
  std::string bmp = example("bmp", "run lengths");
  bmp.replace(18, 8, std::string("\x30\x75\0\0\x30\x75\0\0", 8));
  std::string webp = example("webp", "lossy with alpha");
  ASSERT_EQ(webp.substr(12, 4), "VP8X");
  webp.replace(24, 6, std::string("\x2F\x75\0\x2F\x75\0", 6));
  const auto before = peak_kilobytes();
  for (const auto& bytes : {png, jpeg, bmp, webp}) {
    EXPECT_THAT(refusal(bytes), AllOf(HasSubstr("30000 x 30000 pixels"), HasSubstr("178,956,970")));
  }
  EXPECT_LT(peak_kilobytes() - before, 50'000);
}

TEST(Decode, NoPixelsAreRefused) {
  std::string jpeg = example("jpeg", "baseline 444");
  jpeg.replace(jpeg.find("\xFF\xC0") + 5, 4, std::string(4, '\0'));
  EXPECT_THAT(refusal(jpeg), HasSubstr("0 x 0 pixels"));
}

/// A JPEG of soft waves, which a smaller picture can hold.
std::string smooth_jpeg(int width, int height, bool progressive) {
  cv::Mat picture(height, width, CV_8UC3);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      picture.at<cv::Vec3b>(y, x) = {static_cast<std::uint8_t>(128 + 90 * std::sin(x * 0.05)),
                                     static_cast<std::uint8_t>(128 + 90 * std::cos(y * 0.06)),
                                     static_cast<std::uint8_t>(120 + 60 * std::sin((x + y) * 0.04))};
    }
  }
  std::vector<std::uint8_t> bytes;
  cv::imencode(".jpg", picture, bytes,
               {cv::IMWRITE_JPEG_QUALITY, 95, cv::IMWRITE_JPEG_PROGRESSIVE, progressive ? 1 : 0});
  return {bytes.begin(), bytes.end()};
}

/// Decoded at `eighths` of its size, it must be smaller by `factor`, each pixel the mean of those it stands for.
void expect_reduced(const std::string& jpeg, int eighths, int factor) {
  SCOPED_TRACE(eighths);
  const Image whole = decode_image(jpeg, "jpeg");
  const Image small = decode_image(jpeg, "jpeg", [&](std::int64_t width, std::int64_t height) {
    EXPECT_EQ(width, whole.width);
    EXPECT_EQ(height, whole.height);
    return eighths;
  });
  ASSERT_EQ(small.width, (whole.width + factor - 1) / factor);
  ASSERT_EQ(small.height, (whole.height + factor - 1) / factor);
  double error = 0.0;
  for (std::int64_t y = 0; y < whole.height / factor; ++y) {
    for (std::int64_t x = 0; x < whole.width / factor; ++x) {
      for (std::int64_t c = 0; c < 3; ++c) {
        double mean = 0.0;
        for (std::int64_t k = 0; k < factor * factor; ++k) {
          const auto row = y * factor + k / factor, column = x * factor + k % factor;
          mean += whole.pixels[static_cast<std::size_t>((row * whole.width + column) * 3 + c)];
        }
        mean /= factor * factor;
        error = std::max(error, std::abs(mean - small.pixels[static_cast<std::size_t>((y * small.width + x) * 3 + c)]));
      }
    }
  }
  EXPECT_LT(error, 6.0);
}

TEST(ReducedDecoding, GivesTheMeansOfPixels) {
  const std::string jpeg = smooth_jpeg(203, 154, /*progressive=*/false);
  for (const int factor : {1, 2, 4, 8}) {
    expect_reduced(jpeg, 8 / factor, factor);
  }
}

TEST(ReducedDecoding, OfAProgressiveOneIsByAPowerOfTwoAndNeverTooSmall) {
  const std::string jpeg = smooth_jpeg(203, 154, /*progressive=*/true);
  for (const auto& [eighths, factor] : {std::pair{1, 8}, {2, 4}, {3, 2}, {4, 2}, {5, 1}, {6, 1}, {7, 1}, {8, 1}}) {
    expect_reduced(jpeg, eighths, factor);
  }
}

TEST(ReducedDecoding, RefusesWhatWholeDecodingRefuses) {
  const CaptureStderr quiet;
  Rng rng(2);
  for (const auto& [name, bytes, golden] : examples("jpeg")) {
    for (std::size_t at = 0; at < bytes.size(); at += 1 + rng.below(6)) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(rng.next());
      std::string message;
      try {
        decode_image(damaged, "some.jpg", [](auto, auto) { return 5; });
      } catch (const DataError& e) {
        message = e.what();
      }
      ASSERT_EQ(message, refusal(damaged)) << name << ", byte " << at;
    }
  }
}

TEST(ReducedDecoding, LeavesOtherFormatsWhole) {
  std::vector<std::uint8_t> bytes;
  cv::imencode(".png", cv::Mat(40, 60, CV_8UC3, cv::Scalar(1, 2, 3)), bytes);
  const Image image = decode_image(std::string(bytes.begin(), bytes.end()), "png", [](auto, auto) { return 4; });
  EXPECT_EQ(image.width, 60);
}

}  // namespace
}  // namespace effnetv2
