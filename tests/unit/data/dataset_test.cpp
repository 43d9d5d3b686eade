#include "effnetv2/data/dataset.h"

#include <algorithm>
#include <atomic>
#include <set>
#include <stdexcept>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <opencv2/imgcodecs.hpp>

#include "effnetv2/core/error.h"
#include "effnetv2/core/hash.h"
#include "effnetv2/core/rng.h"
#include "effnetv2/core/stop.h"
#include "effnetv2/data/loader.h"
#include "effnetv2/data/resize.h"

#include "support/temp_dir.h"

namespace effnetv2 {
namespace {

using test::TempDir;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int64_t kFiles = 24;

/// Twenty-four noisy pictures of different sizes in one folder.
class ImageDatasetTest : public ::testing::Test {
 protected:
  ImageDatasetTest() {
    config.image_size = 12;
    Rng rng = Rng::stream(1, Purpose::test);
    for (std::int64_t i = 0; i < kFiles; ++i) {
      cv::Mat picture(static_cast<int>(9 + rng.below(20)), static_cast<int>(9 + rng.below(20)), CV_8UC3);
      for (auto byte = picture.datastart; byte != picture.dataend; ++byte) {
        *const_cast<uchar*>(byte) = static_cast<uchar>(rng.next());
      }
      pixels += static_cast<std::uint64_t>(picture.total());
      const std::string name = "class/" + std::to_string(100 + i) + ".png";
      std::filesystem::create_directories(folder / "class");
      cv::imwrite((folder / name).string(), picture);
      files.push_back({name, i % 3, std::filesystem::file_size(folder / name)});
    }
  }
  void TearDown() override { clear_stop_request(); }

  /// Before it is listed.
  void damage(std::size_t i) {
    folder.write(files.path(i), "this is no picture");
    FileList listed;
    for (ImageFile file : files) {
      file.bytes = std::filesystem::file_size(folder / file.path);
      listed.push_back(file);
    }
    files = listed;
  }

  std::unique_ptr<ImageDataset> open(Transform::Mode mode = Transform::Mode::train) const {
    return std::make_unique<ImageDataset>(folder.path(), files, config, mode);
  }

  TempDir folder;
  FileList files;
  DataConfig config;
  std::uint64_t pixels = 0;
};
using ImageDatasetThreads = ImageDatasetTest;

TEST_F(ImageDatasetTest, KnowsItsFiles) {
  const auto data = open();
  EXPECT_EQ(data->size(), kFiles);
  EXPECT_EQ(data->image_size(), 12);
  EXPECT_EQ(data->label(5), 2);
  EXPECT_EQ(data->name(5), "class/105.png");
  const auto image = data->get(5, 1, 1);
  ASSERT_TRUE(image.has_value());
  EXPECT_EQ(image->width, 12);
  EXPECT_EQ(image->height, 12);
  EXPECT_EQ(image->pixels.size(), 12U * 12U * 3U);
}

TEST_F(ImageDatasetThreads, WithAndWithoutCacheTheSame) {
  damage(7);
  config.on_bad_image = OnBadImage::skip;
  std::vector<std::pair<DataConfig, Transform::Mode>> cases(5, {config, Transform::Mode::train});
  cases[1].first.augment.flip = 0.5;
  cases[2].first.augment.random_resized_crop = RandomResizedCropConfig{};
  cases[3].first.resize = ResizeMode::center_crop;
  cases[3].first.interpolation = Interpolation::bicubic;
  cases[4].first.augment.random_resized_crop = RandomResizedCropConfig{};
  cases[4].second = Transform::Mode::eval;
  for (const auto& [chosen, mode] : cases) {
    const ImageDataset plain(folder.path(), files, chosen, mode);
    for (const int workers : {0, 1, 4}) {
      ImageDataset cached(folder.path(), files, chosen, mode);
      ASSERT_FALSE(cached.cached());
      ASSERT_TRUE(cached.fill_cache(workers));
      ASSERT_TRUE(cached.cached());
      for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
        for (std::int64_t i = 0; i < kFiles; ++i) {
          ASSERT_EQ(cached.get(i, 9, epoch), plain.get(i, 9, epoch)) << "picture " << i << ", epoch " << epoch;
        }
      }
      EXPECT_EQ(cached.bad_images(), plain.bad_images());
    }
  }
}

TEST_F(ImageDatasetThreads, BatchesDoNotDependOnWorkersOrCache) {
  config.augment.flip = 0.5;
  const auto batches = [&](bool cache, int workers) {
    auto data = open();
    if (cache) {
      data->fill_cache(2);
    }
    Loader loader(std::move(data), {.batch_size = 5, .shuffle = true, .workers = workers, .seed = 3});
    std::vector<std::uint8_t> bytes;
    for (std::int64_t epoch = 0; epoch < 2; ++epoch) {
      loader.start(epoch);
      while (const auto batch = loader.next()) {
        bytes.insert(bytes.end(), batch->pixels.begin(), batch->pixels.end());
      }
    }
    return bytes;
  };
  const auto expected = batches(false, 0);
  ASSERT_EQ(expected.size(), 2U * kFiles * 12U * 12U * 3U);
  EXPECT_EQ(batches(false, 3), expected);
  EXPECT_EQ(batches(true, 0), expected);
  EXPECT_EQ(batches(true, 3), expected);
}

TEST_F(ImageDatasetTest, ABlockShowsWhatGetGives) {
  damage(3);
  config.on_bad_image = OnBadImage::skip;
  config.augment.flip = 0.5;
  for (const auto mode : {Transform::Mode::train, Transform::Mode::eval}) {
    const auto data = open(mode);
    EXPECT_THAT(data->block(), IsEmpty());
    ASSERT_TRUE(data->fill_cache(2));
    const auto block = data->block();
    ASSERT_EQ(block.size(), kFiles * 12U * 12U * 3U);
    int mirrors = 0;
    for (std::int64_t i = 0; i < kFiles; ++i) {
      for (std::int64_t epoch = 0; epoch < 4; ++epoch) {
        const auto image = data->get(i, 9, epoch);
        const auto mirrored = data->mirrored(i, 9, epoch);
        ASSERT_EQ(mirrored.has_value(), image.has_value()) << i;
        if (image) {
          const auto record = block.subspan(static_cast<std::size_t>(i) * 12 * 12 * 3, 12 * 12 * 3);
          Image shown(12, 12);
          std::ranges::copy(record, shown.pixels.begin());
          if (*mirrored) {
            flip_horizontal(shown);
            ++mirrors;
          }
          EXPECT_EQ(shown, *image) << i;
        }
      }
    }
    EXPECT_EQ(mirrors > 0, mode == Transform::Mode::train);
  }
  config.augment.random_resized_crop.emplace();
  const auto cropped = open();
  ASSERT_TRUE(cropped->fill_cache(2));
  EXPECT_THAT(cropped->block(), IsEmpty()) << "these are not shown as they lie";
}

TEST_F(ImageDatasetTest, AugmentationIsAFunctionOfSeedEpochAndIndex) {
  config.augment.flip = 0.5;
  const auto data = open();
  const auto eval = open(Transform::Mode::eval);
  const auto hash = [](const std::optional<Image>& image) {
    return quick_checksum(image->pixels.data(), image->pixels.size());
  };
  std::set<std::uint64_t> seen;
  for (std::int64_t epoch = 0; epoch < 12; ++epoch) {
    const auto image = data->get(4, 7, epoch);
    EXPECT_EQ(image, data->get(4, 7, epoch));
    EXPECT_EQ(eval->get(4, 7, epoch), eval->get(4, 8, 0));
    seen.insert(hash(image));
  }
  EXPECT_EQ(seen.size(), 2U);  // as it is and mirrored
  EXPECT_TRUE(seen.contains(hash(eval->get(4, 0, 0))));
}

TEST_F(ImageDatasetThreads, ABadPictureIsAnErrorThatNamesIt) {
  damage(13);
  damage(14);
  const auto data = open();
  for (int round = 0; round < 2; ++round) {
    try {
      data->get(13, 0, 0);
      FAIL();
    } catch (const DataError& e) {
      EXPECT_THAT(e.what(), AllOf(HasSubstr((folder / "class/113.png").string()), HasSubstr("on_bad_image")));
    }
  }
  for (const int workers : {1, 2, 8}) {
    try {
      data->fill_cache(workers);
      FAIL();
    } catch (const DataError& e) {
      EXPECT_THAT(e.what(), HasSubstr("113.png")) << "the first of the two, whichever thread met the other";
    }
    EXPECT_FALSE(data->cached());
  }
  EXPECT_TRUE(data->get(12, 0, 0).has_value());
  EXPECT_THAT(data->bad_images(), IsEmpty());
}

TEST_F(ImageDatasetTest, WhatChangedSinceItWasListedIsNoBadPictureToLeaveOut) {
  config.on_bad_image = OnBadImage::skip;
  const auto data = open();
  const auto error_of = [&](std::int64_t index) -> std::string {
    try {
      data->get(index, 1, 1);
    } catch (const DataError& e) {
      return e.what();
    }
    return "no DataError";
  };
  folder.write(files.path(3), "shorter");
  std::filesystem::remove(folder / files.path(4));
  std::filesystem::remove(folder / files.path(5));
  std::filesystem::create_directory(folder / files.path(5));
  for (const std::int64_t changed : {3, 4, 5}) {
    EXPECT_THAT(error_of(changed), AllOf(HasSubstr(data->name(changed)), HasSubstr("has changed or gone since")));
  }
  EXPECT_THAT(data->bad_images(), IsEmpty());
}

TEST_F(ImageDatasetThreads, SkippedPicturesAreListedOnce) {
  damage(20);
  damage(3);
  damage(9);
  config.on_bad_image = OnBadImage::skip;
  const auto data = open();
  EXPECT_THAT(data->bad_images(), IsEmpty());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::int64_t i = 0; i < kFiles; ++i) {
        EXPECT_EQ(data->get(i, 0, 0).has_value(), i != 3 && i != 9 && i != 20);
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_THAT(data->bad_images(), ElementsAre("class/103.png", "class/109.png", "class/120.png"));
  EXPECT_TRUE(data->fill_cache(3));
  EXPECT_FALSE(data->get(9, 0, 0).has_value());
  EXPECT_THAT(data->bad_images(), ElementsAre("class/103.png", "class/109.png", "class/120.png"));
}

TEST_F(ImageDatasetThreads, AFullCacheReadsNoFiles) {
  for (const bool crops : {false, true}) {
    if (crops) {
      config.augment.random_resized_crop = RandomResizedCropConfig{};
    }
    const auto data = open();
    const auto before = data->get(2, 0, 0);
    ASSERT_TRUE(data->fill_cache(2));
    std::filesystem::rename(folder / "class", folder / "gone");
    EXPECT_EQ(data->get(2, 0, 0), before);
    EXPECT_TRUE(data->fill_cache(2)) << "a second call does nothing";
    std::filesystem::rename(folder / "gone", folder / "class");
  }
}

TEST_F(ImageDatasetThreads, ProgressGrowsToTheTotalOnTheCallingThread) {
  const auto data = open();
  std::vector<std::int64_t> seen;
  const auto caller = std::this_thread::get_id();
  data->fill_cache(3, [&](std::int64_t done, std::int64_t total) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    EXPECT_EQ(total, kFiles);
    seen.push_back(done);
  });
  ASSERT_FALSE(seen.empty());
  EXPECT_TRUE(std::ranges::is_sorted(seen));
  EXPECT_EQ(seen.back(), kFiles);
}

TEST_F(ImageDatasetThreads, AThrowingProgressLeavesNoCache) {
  const auto data = open();
  EXPECT_THROW(data->fill_cache(2, [](std::int64_t, std::int64_t) { throw std::runtime_error("no more"); }),
               std::runtime_error);
  EXPECT_FALSE(data->cached());
  EXPECT_TRUE(data->fill_cache(2));
}

TEST_F(ImageDatasetThreads, AStopLeavesNoCache) {
  const auto data = open();
  request_stop();
  EXPECT_FALSE(data->fill_cache(2));
  EXPECT_FALSE(data->cached());
  clear_stop_request();
  EXPECT_TRUE(data->get(0, 0, 0).has_value());
  EXPECT_TRUE(data->fill_cache(2));
}

TEST_F(ImageDatasetThreads, CanBeReadWhileTheCacheFills) {
  config.augment.random_resized_crop = RandomResizedCropConfig{};
  const auto data = open();
  const auto expected = open();
  std::atomic<bool> done{false};
  std::thread reader([&] {
    do {
      for (std::int64_t i = 0; i < kFiles; ++i) {
        EXPECT_EQ(data->get(i, 1, 1), expected->get(i, 1, 1));
      }
    } while (!done);
  });
  EXPECT_TRUE(data->fill_cache(2));
  done = true;
  reader.join();
}

TEST_F(ImageDatasetTest, CacheBytesAreThoseOfThePixels) {
  EXPECT_EQ(open()->cache_bytes(), kFiles * 12U * 12U * 3U);
  config.augment.random_resized_crop = RandomResizedCropConfig{};
  EXPECT_EQ(open()->cache_bytes(), pixels * 3);
  EXPECT_EQ(open(Transform::Mode::eval)->cache_bytes(), kFiles * 12U * 12U * 3U);
  files.push_back({"class/missing.png", 0, 10});
  EXPECT_EQ(open()->cache_bytes(), pixels * 3);
}

TEST_F(ImageDatasetTest, AnEmptySetIsCachedAtOnce) {
  files = {};
  const auto data = open();
  EXPECT_EQ(data->cache_bytes(), 0U);
  EXPECT_TRUE(data->fill_cache(2));
}

TEST(CacheFits, AsTheSettingSays) {
  EXPECT_TRUE(cache_fits(Cache::ram, UINT64_MAX));
  EXPECT_FALSE(cache_fits(Cache::none, 0));
  EXPECT_FALSE(cache_fits(Cache::disk, 0));
  EXPECT_TRUE(cache_fits(Cache::automatic, 0));
  EXPECT_FALSE(cache_fits(Cache::automatic, UINT64_MAX));
}

}  // namespace
}  // namespace effnetv2
