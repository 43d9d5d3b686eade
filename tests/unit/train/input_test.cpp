#include "effnetv2/train/input.h"

#include <algorithm>

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

}  // namespace
}  // namespace effnetv2
