#include "effnetv2/data/idx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnetv2/core/error.h"
#include "effnetv2/core/rng.h"
#include "effnetv2/core/stop.h"
#include "effnetv2/data/decode.h"
#include "effnetv2/data/listing.h"

#include "support/temp_dir.h"

namespace effnetv2 {
namespace {

using test::TempDir;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string big(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

/// Three pictures of 3 x 2 labelled 7, 0 and 7, in idx files.
class IdxTest : public ::testing::Test {
 protected:
  IdxTest() {
    Rng rng(1);
    for (int i = 0; i < 18; ++i) {
      pixels += static_cast<char>(rng.next());
    }
    image_bytes = big(0x803) + big(3) + big(2) + big(3) + pixels;
    label_bytes = big(0x801) + big(3) + std::string("\x07\x00\x07", 3);
  }
  std::int64_t convert(const ProgressFn& progress = {}) const {
    return convert_idx(folder.write("images", image_bytes), folder.write("labels", label_bytes), folder / "out",
                       progress);
  }
  std::string refusal() const {
    try {
      convert();
      return "";
    } catch (const DataError& e) {
      return e.what();
    }
  }

  TempDir folder;
  std::string pixels, image_bytes, label_bytes;
};

TEST_F(IdxTest, IsWrittenWholeOrNotAtAll) {
  EXPECT_EQ(convert([](std::int64_t done, std::int64_t) {
              if (done == 2) {
                request_stop();
              }
            }),
            0);
  clear_stop_request();
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));
  folder.write(".tmp-out/7/000000.png", "left by a process that was killed");
  EXPECT_EQ(convert(), 3);
  EXPECT_FALSE(std::filesystem::exists(folder / ".tmp-out"));
  std::filesystem::remove_all(folder / "out");
  folder.write("out/.tmp-idx/7/000000.png", "left by another one");
  EXPECT_EQ(convert(), 3);
  EXPECT_FALSE(std::filesystem::exists(folder / "out/.tmp-idx"));
}

TEST_F(IdxTest, EveryPixelArrives) {
  std::vector<std::int64_t> progress;
  EXPECT_EQ(convert([&](std::int64_t done, std::int64_t total) {
              EXPECT_EQ(total, 3);
              progress.push_back(done);
            }),
            3);
  EXPECT_EQ(progress, (std::vector<std::int64_t>{1, 2, 3}));
  const char* names[] = {"out/7/000000.png", "out/0/000001.png", "out/7/000002.png"};
  for (std::size_t i = 0; i < 3; ++i) {
    const Image image = decode_image(folder / names[i]);
    EXPECT_EQ(image.width, 3);
    EXPECT_EQ(image.height, 2);
    for (std::size_t k = 0; k < 18; ++k) {
      EXPECT_EQ(image.pixels[k], static_cast<unsigned char>(pixels[6 * i + k / 3]));
    }
    EXPECT_EQ(read_image_header(folder / names[i]).channels, 1);
  }
}

TEST_F(IdxTest, TheFolderIsADataSet) {
  convert();
  DataConfig config;
  config.root = (folder / "out").string();
  config.split.val = 0.0;
  const Listing listing = list_images(config);
  EXPECT_EQ(listing.classes, (std::vector<std::string>{"0", "7"}));
  EXPECT_EQ(listing.train.size(), 3U);
}

TEST_F(IdxTest, TheSameFilesGiveTheSameBytes) {
  convert();
  const auto first = std::filesystem::file_size(folder / "out/7/000000.png");
  const Image image = decode_image(folder / "out/7/000000.png");
  std::filesystem::rename(folder / "out", folder / "before");
  convert();
  EXPECT_EQ(std::filesystem::file_size(folder / "out/7/000000.png"), first);
  EXPECT_EQ(decode_image(folder / "out/7/000000.png"), image);
}

TEST_F(IdxTest, WrongFilesAreNamed) {
  std::swap(image_bytes, label_bytes);
  EXPECT_THAT(refusal(), AllOf(HasSubstr((folder / "images").string()), HasSubstr("0x00000803"), HasSubstr("order")));
  std::swap(image_bytes, label_bytes);
  label_bytes = image_bytes;
  EXPECT_THAT(refusal(), AllOf(HasSubstr((folder / "labels").string()), HasSubstr("0x00000801")));
  image_bytes = "\x1F\x8B\x08 and so on";
  EXPECT_THAT(refusal(), AllOf(HasSubstr((folder / "images").string()), HasSubstr("gunzip")));
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));
}

TEST_F(IdxTest, AnyOtherLengthIsRefused) {
  const std::string images = image_bytes, labels = label_bytes;
  for (std::size_t length = 0; length < images.size(); ++length) {
    image_bytes = images.substr(0, length);
    ASSERT_THAT(refusal(), HasSubstr((folder / "images").string())) << length;
  }
  image_bytes = images + "x";
  EXPECT_THAT(refusal(), HasSubstr("35 bytes, its header promises 34"));
  image_bytes = images;
  for (std::size_t length = 0; length < labels.size(); ++length) {
    label_bytes = labels.substr(0, length);
    ASSERT_THAT(refusal(), HasSubstr((folder / "labels").string())) << length;
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));
}

TEST_F(IdxTest, HeadersThatPromiseTooMuchAreRefused) {
  for (const std::uint32_t count : {4u, 0x10000u, 0x80000000u, 0xFFFFFFFFu}) {
    for (const std::size_t at : {4U, 8U, 12U}) {
      const std::string good = image_bytes;
      image_bytes.replace(at, 4, big(count));
      EXPECT_THAT(refusal(), HasSubstr((folder / "images").string())) << count << " at " << at;
      image_bytes = good;
    }
  }
  // the product wraps to the right length
  image_bytes.replace(4, 12, big(0x40000000) + big(0x40000000) + big(0x40000000));
  EXPECT_THAT(refusal(), HasSubstr("promises more"));
}

TEST_F(IdxTest, CountsMustAgree) {
  label_bytes = big(0x801) + big(2) + std::string("\x01\x02", 2);
  EXPECT_THAT(refusal(), AllOf(HasSubstr("3 images"), HasSubstr("2 labels")));
}

TEST_F(IdxTest, PicturesWithoutPixelsAreRefused) {
  image_bytes = big(0x803) + big(3) + big(0) + big(0);
  EXPECT_THAT(refusal(), HasSubstr("no pixels"));
}

TEST_F(IdxTest, AFolderWithSomethingInItIsLeftAlone) {
  folder.write("out/mine.txt", "mine");
  EXPECT_THAT(refusal(), AllOf(HasSubstr((folder / "out").string()), HasSubstr("not empty")));
  EXPECT_FALSE(std::filesystem::exists(folder / "out/7"));
  std::filesystem::remove(folder / "out/mine.txt");
  EXPECT_EQ(convert(), 3) << "an empty one will do";
  EXPECT_THAT(refusal(), HasSubstr("not empty")) << "a second time";
}

TEST_F(IdxTest, AMissingFileIsADataError) {
  folder.write("images", image_bytes);
  EXPECT_THROW(convert_idx(folder / "images", folder / "gone", folder / "out"), DataError);
  EXPECT_THROW(convert_idx(folder / "gone", folder / "images", folder / "out"), DataError);
}

}  // namespace
}  // namespace effnetv2
