#include "effnetv2/train/input.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <torch/types.h>

#include "effnetv2/core/rng.h"

namespace effnetv2 {
namespace {

/// Three pictures of 5 x 5, noise with both ends of the range.
Batch make_batch() {
  Batch batch;
  batch.size = 3;
  batch.image_size = 5;
  batch.pixels.resize(3 * 5 * 5 * 3);
  Rng rng(1);
  for (auto& value : batch.pixels) {
    value = static_cast<std::uint8_t>(rng.next());
  }
  batch.pixels[0] = 0;
  batch.pixels[4] = 255;
  batch.labels = {4, 0, 7};
  batch.indices = {10, 11, 12};
  return batch;
}

TEST(InputStage, NormalisesEachChannel) {
  const Batch batch = make_batch();
  DataConfig config;
  config.mean = {0.485, 0.0, 0.25};
  config.std = {0.229, 1.0, 2.0};
  const Input input = InputStage(config, torch::kCPU)(batch);
  ASSERT_EQ(input.images.sizes(), (std::vector<std::int64_t>{3, 3, 5, 5}));
  ASSERT_EQ(input.images.scalar_type(), torch::kFloat);
  EXPECT_TRUE(input.images.is_contiguous(at::MemoryFormat::ChannelsLast));
  const auto images = input.images.accessor<float, 4>();
  for (std::int64_t n = 0; n < 3; ++n) {
    for (std::int64_t y = 0; y < 5; ++y) {
      for (std::int64_t x = 0; x < 5; ++x) {
        for (std::int64_t c = 0; c < 3; ++c) {
          const auto channel = static_cast<std::size_t>(c);
          const double value = batch.pixels[static_cast<std::size_t>(((n * 5 + y) * 5 + x) * 3 + c)];
          EXPECT_NEAR(images[n][c][y][x], (value / 255.0 - config.mean[channel]) / config.std[channel], 1e-6);
        }
      }
    }
  }
}

TEST(InputStage, MeanZeroAndDeviationOneIsTheShareOf255) {
  DataConfig config;
  config.mean = {0, 0, 0};
  config.std = {1, 1, 1};
  const Input input = InputStage(config, torch::kCPU)(make_batch());
  EXPECT_EQ(input.images[0][0][0][0].item<float>(), 0.0F);
  EXPECT_EQ(input.images[0][1][0][1].item<float>(), 1.0F);
}

TEST(InputStage, TheBatchIsCopied) {
  Batch batch = make_batch();
  const Batch before = batch;
  const Input input = InputStage(DataConfig{}, torch::kCPU)(batch);
  EXPECT_EQ(batch.pixels, before.pixels);
  const at::Tensor images = input.images.clone();
  std::fill(batch.pixels.begin(), batch.pixels.end(), std::uint8_t{9});
  std::fill(batch.labels.begin(), batch.labels.end(), 9);
  EXPECT_TRUE(torch::equal(input.images, images));
  EXPECT_TRUE(torch::equal(input.labels, torch::tensor({4, 0, 7}, torch::kLong)));
}

/// The pictures of a batch as a block.
struct Block final : Dataset {
  explicit Block(std::vector<std::uint8_t> pixels_) : pixels(std::move(pixels_)) {}
  std::int64_t size() const noexcept override { return 3; }
  std::int64_t image_size() const noexcept override { return 5; }
  std::int64_t label(std::int64_t) const override { return 0; }
  std::string name(std::int64_t) const override { return "one"; }
  std::optional<Image> get(std::int64_t, std::uint64_t, std::int64_t) const override { return std::nullopt; }
  std::span<const std::uint8_t> block() const override { return pixels; }
  std::vector<std::uint8_t> pixels;
};

TEST(InputStage, PicturesOfABlockAreShownAsAskedFor) {
  const Batch batch = make_batch();
  const Block block(batch.pixels);
  Batch named;
  named.size = 4;
  named.image_size = 5;
  named.held = &block;
  named.labels = {1, 2, 3, 4};
  named.indices = {2, 0, 0, 1};
  named.mirrored = {0, 1, 0, 1};
  const InputStage input(DataConfig{}, torch::kCPU);
  const at::Tensor plain = input(batch).images;
  const Input shown = input(named);
  EXPECT_TRUE(shown.images.is_contiguous(at::MemoryFormat::ChannelsLast));
  for (std::int64_t i = 0; i < 4; ++i) {
    const at::Tensor whole = plain[named.indices[static_cast<std::size_t>(i)]];
    EXPECT_TRUE(torch::equal(shown.images[i], i % 2 == 1 ? whole.flip(2) : whole)) << i;
  }
  EXPECT_TRUE(torch::equal(shown.labels, torch::tensor({1, 2, 3, 4}, torch::kLong)));

  // in fixed places
  const Pixels places = input.places_for(named);
  const at::Tensor block_before = places.block;
  named.indices = {1, 1, 2, 0};
  input.upload(named, places);
  EXPECT_TRUE(places.block.is_same(block_before));
  EXPECT_TRUE(torch::equal(input.normalise(places), input(named).images));
}

}  // namespace
}  // namespace effnetv2
