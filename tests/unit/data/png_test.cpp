#include "effnetv2/data/png.h"

#include <gtest/gtest.h>

#include "effnetv2/data/decode.h"

#include "support/image_golden.h"

namespace effnetv2 {
namespace {

TEST(EncodePng, KeepsEveryPixel) {
  Rng rng(5);
  for (const auto& [width, height] : {std::pair{1, 1}, {7, 3}, {64, 65}}) {
    const Image image = test::random_image(rng, width, height);
    const std::string png = encode_png(image);
    EXPECT_EQ(png.substr(1, 3), "PNG");
    EXPECT_EQ(decode_image(png, "picture"), image);
    EXPECT_EQ(encode_png(image), png);
  }
}

}  // namespace
}  // namespace effnetv2
