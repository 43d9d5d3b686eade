#include "effnetv2/data/loader.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

#include "effnetv2/core/error.h"
#include "effnetv2/core/rng.h"

namespace effnetv2 {
namespace {

/// Pictures of 2x2 whose bytes are a function of (index, seed, epoch); can be slow, bad or broken at given places.
class FakeDataset : public Dataset {
 public:
  explicit FakeDataset(std::int64_t size) : size_(size) {}

  std::set<std::int64_t> bad;
  std::set<std::int64_t> broken;
  std::atomic<std::int64_t> slow_us{0};  ///< set while workers read
  mutable std::atomic<std::int64_t> reads{0};

  std::int64_t size() const noexcept override { return size_; }
  std::int64_t image_size() const noexcept override { return 2; }
  std::int64_t label(std::int64_t index) const override { return index % 7; }
  std::string name(std::int64_t index) const override { return "image " + std::to_string(index); }
  std::optional<Image> get(std::int64_t index, std::uint64_t seed, std::int64_t epoch) const override {
    ++reads;
    if (const std::int64_t slow = slow_us; slow > 0) {
      Rng rng = Rng::stream(1, Purpose::test, static_cast<std::uint64_t>(index), static_cast<std::uint64_t>(epoch));
      std::this_thread::sleep_for(std::chrono::microseconds(rng.below(static_cast<std::uint64_t>(2 * slow))));
    }
    if (broken.contains(index)) {
      throw DataError(name(index) + " is broken");
    }
    if (bad.contains(index)) {
      return std::nullopt;
    }
    return picture(index, seed, epoch);
  }

  static Image picture(std::int64_t index, std::uint64_t seed, std::int64_t epoch) {
    Image image(2, 2);
    Rng rng = Rng::stream(seed, Purpose::augment, static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(index));
    std::ranges::generate(image.pixels, [&] { return static_cast<std::uint8_t>(rng.next()); });
    return image;
  }

 private:
  std::int64_t size_;
};

std::vector<Batch> rest_of(Loader& loader) {
  std::vector<Batch> batches;
  while (auto batch = loader.next()) {
    batches.push_back(std::move(*batch));
  }
  return batches;
}

std::vector<Batch> epoch_of(Loader& loader, std::int64_t epoch, std::int64_t first = 0) {
  loader.start(epoch, first);
  return rest_of(loader);
}

bool same(const Batch& a, const Batch& b) {
  return a.number == b.number && a.size == b.size && a.image_size == b.image_size && a.pixels == b.pixels &&
         a.labels == b.labels && a.indices == b.indices;
}

bool same(const std::vector<Batch>& a, const std::vector<Batch>& b) {
  return std::ranges::equal(a, b, [](const Batch& x, const Batch& y) { return same(x, y); });
}

void expect_consistent(const std::vector<Batch>& batches, const FakeDataset& data, const LoaderOptions& options,
                       std::int64_t epoch, std::int64_t first) {
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const Batch& batch = batches[i];
    ASSERT_EQ(batch.number, first + static_cast<std::int64_t>(i));
    ASSERT_EQ(batch.image_size, 2);
    ASSERT_EQ(batch.labels.size(), static_cast<std::size_t>(batch.size));
    ASSERT_EQ(batch.indices.size(), static_cast<std::size_t>(batch.size));
    ASSERT_EQ(batch.pixels.size(), static_cast<std::size_t>(batch.size * 12));
    for (std::size_t k = 0; k < batch.indices.size(); ++k) {
      ASSERT_EQ(batch.labels[k], data.label(batch.indices[k]));
      const Image expected = FakeDataset::picture(batch.indices[k], options.seed, epoch);
      ASSERT_TRUE(std::equal(expected.pixels.begin(), expected.pixels.end(),
                             batch.pixels.begin() + static_cast<std::ptrdiff_t>(12 * k)));
    }
  }
}

std::vector<std::int64_t> indices_of(const std::vector<Batch>& batches) {
  std::vector<std::int64_t> all;
  for (const Batch& batch : batches) {
    all.insert(all.end(), batch.indices.begin(), batch.indices.end());
  }
  return all;
}

TEST(LoaderThreads, SameBatchesForAnyWorkerCountAndStart) {
  Rng rng = Rng::stream(11, Purpose::test);
  for (int trial = 0; trial < 60; ++trial) {
    auto data = std::make_shared<FakeDataset>(static_cast<std::int64_t>(rng.below(90)));
    data->slow_us = trial % 4 == 0 ? 60 : 0;
    for (std::int64_t i = 0; i < data->size(); ++i) {
      if (trial % 3 == 0 && rng.uniform() < 0.2) {
        data->bad.insert(i);
      }
    }
    LoaderOptions options;
    options.batch_size = 1 + static_cast<std::int64_t>(rng.below(20));
    options.shuffle = rng.uniform() < 0.7;
    options.drop_last = rng.uniform() < 0.5;
    options.seed = rng.next();
    Loader plain(data, options);
    const std::int64_t whole = data->size() / options.batch_size;
    const bool short_last = !options.drop_last && data->size() % options.batch_size != 0;
    ASSERT_EQ(plain.batches(), whole + (short_last ? 1 : 0));

    for (const int workers : {1, 2, 8}) {
      options.workers = workers;
      Loader threaded(data, options);
      ASSERT_EQ(threaded.batches(), plain.batches());
      for (int pass = 0; pass < 3; ++pass) {
        const auto epoch = static_cast<std::int64_t>(rng.below(1000));
        const auto first =
            pass == 0 ? 0 : static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(plain.batches() + 1)));
        const auto expected = epoch_of(plain, epoch, first);
        const auto got = epoch_of(threaded, epoch, first);
        ASSERT_EQ(static_cast<std::int64_t>(got.size()), plain.batches() - first);
        ASSERT_TRUE(same(got, expected)) << "trial " << trial << ", workers " << workers;
        expect_consistent(got, *data, options, epoch, first);
        ASSERT_FALSE(threaded.next().has_value());
      }
    }
  }
}

TEST(LoaderThreads, EveryGoodImageExactlyOnce) {
  auto data = std::make_shared<FakeDataset>(103);
  data->bad = {0, 50, 51, 102};
  for (const int workers : {0, 3}) {
    LoaderOptions options{.batch_size = 8, .shuffle = true, .drop_last = false, .workers = workers, .seed = 5};
    Loader loader(data, options);
    for (std::int64_t epoch = 0; epoch < 5; ++epoch) {
      const auto batches = epoch_of(loader, epoch);
      ASSERT_EQ(batches.size(), 13U);
      auto indices = indices_of(batches);
      ASSERT_EQ(indices.size(), 99U);
      EXPECT_FALSE(std::ranges::is_sorted(indices));
      std::ranges::sort(indices);
      EXPECT_EQ(std::ranges::adjacent_find(indices), indices.end());
      for (const std::int64_t index : indices) {
        EXPECT_FALSE(data->bad.contains(index));
      }
    }
  }
}

TEST(Loader, PlainOrderWithoutShuffle) {
  Loader loader(std::make_shared<FakeDataset>(10), {.batch_size = 4});
  std::vector<std::int64_t> expected(10);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(indices_of(epoch_of(loader, 3)), expected);
}

TEST(Loader, OrderDependsOnSeedAndEpochAlone) {
  const auto order = [](std::uint64_t seed, std::int64_t epoch, std::int64_t batch_size) {
    Loader loader(std::make_shared<FakeDataset>(50), {.batch_size = batch_size, .shuffle = true, .seed = seed});
    return indices_of(epoch_of(loader, epoch));
  };
  EXPECT_EQ(order(1, 2, 10), order(1, 2, 7));
  EXPECT_NE(order(1, 2, 10), order(1, 3, 10));
  EXPECT_NE(order(1, 2, 10), order(2, 2, 10));
  auto expected = order(9, 0, 50);
  std::vector<std::int64_t> by_hand(50);
  std::iota(by_hand.begin(), by_hand.end(), 0);
  Rng rng = Rng::stream(9, Purpose::shuffle, 0);
  rng.shuffle(std::span(by_hand));
  EXPECT_EQ(expected, by_hand);
}

TEST(LoaderThreads, EachImageVisitsEachPlaceEquallyOften) {
  constexpr int kImages = 6, kEpochs = 6000;
  std::array<std::array<int, kImages>, kImages> counts{};
  Loader loader(std::make_shared<FakeDataset>(kImages), {.batch_size = 6, .shuffle = true, .workers = 2, .seed = 3});
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    const auto indices = indices_of(epoch_of(loader, epoch));
    for (std::size_t place = 0; place < kImages; ++place) {
      ++counts[place][static_cast<std::size_t>(indices[place])];
    }
  }
  double chi_square = 0.0;
  for (const auto& row : counts) {
    for (const int count : row) {
      const double expected = kEpochs / static_cast<double>(kImages);
      chi_square += (count - expected) * (count - expected) / expected;
    }
  }
  EXPECT_LT(chi_square, 52.6);  // 25 degrees of freedom, one in a thousand
}

TEST(LoaderThreads, StartSkipsWithoutReading) {
  for (const int workers : {0, 2}) {
    auto data = std::make_shared<FakeDataset>(100);
    Loader loader(data, {.batch_size = 10, .shuffle = true, .workers = workers});
    const auto last_two = epoch_of(loader, 0, 8);
    EXPECT_EQ(last_two.size(), 2U);
    EXPECT_EQ(data->reads, 20);
  }
}

TEST(LoaderThreads, LookAheadIsBounded) {
  auto data = std::make_shared<FakeDataset>(1000);
  Loader loader(data, {.batch_size = 5, .workers = 3});
  loader.start(0);
  ASSERT_TRUE(loader.next().has_value());
  const std::int64_t bound = 5 * (1 + 2 * 3);
  for (int i = 0; i < 10'000 && data->reads < bound; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // time to go further, if they would
  EXPECT_EQ(data->reads, bound);
}

TEST(LoaderThreads, WorkersReadAhead) {
  auto data = std::make_shared<FakeDataset>(20);
  Loader loader(data, {.batch_size = 5, .workers = 2});
  loader.start(0);
  for (int i = 0; i < 2000 && data->reads < 20; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(data->reads, 20);
}

TEST(LoaderThreads, AnErrorComesAtItsBatch) {
  for (const int workers : {0, 1, 2, 8}) {
    auto data = std::make_shared<FakeDataset>(100);
    data->slow_us = 20;
    data->broken = {37, 38, 61};
    Loader loader(data, {.batch_size = 10, .workers = workers});
    for (int round = 0; round < 3; ++round) {
      loader.start(round);
      for (int batch = 0; batch < 3; ++batch) {
        ASSERT_TRUE(loader.next().has_value());
      }
      for (int again = 0; again < 2; ++again) {
        try {
          loader.next();
          FAIL() << "no error with " << workers << " workers";
        } catch (const DataError& e) {
          EXPECT_STREQ(e.what(), "image 37 is broken");
        }
      }
      loader.start(round, 7);
      EXPECT_EQ(rest_of(loader).size(), 3U);
    }
  }
}

TEST(LoaderThreads, AbandonedAtAnyMoment) {
  for (const int workers : {0, 1, 2, 8}) {
    for (int taken = 0; taken < 12; ++taken) {
      auto data = std::make_shared<FakeDataset>(60);
      data->slow_us = taken % 3 == 0 ? 200 : 0;
      data->broken = {55};
      Loader loader(data, {.batch_size = 3, .workers = workers});
      loader.start(0);
      for (int i = 0; i < taken; ++i) {
        ASSERT_TRUE(loader.next().has_value());
      }
      if (taken % 2 == 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
    }
  }
}

TEST(LoaderThreads, RestartsUnderStress) {
  auto data = std::make_shared<FakeDataset>(64);
  LoaderOptions options{.batch_size = 4, .shuffle = true, .drop_last = false, .workers = 0, .seed = 77};
  Loader plain(data, options);
  std::vector<std::vector<Batch>> expected;
  for (int epoch = 0; epoch < 4; ++epoch) {
    expected.push_back(epoch_of(plain, epoch));
  }
  Rng rng = Rng::stream(5, Purpose::test);
  for (const int workers : {1, 2, 5}) {
    options.workers = workers;
    Loader loader(data, options);
    for (int restart = 0; restart < 400; ++restart) {
      data->slow_us = restart % 10 == 0 ? 50 : 0;
      const auto epoch = static_cast<std::size_t>(rng.below(4));
      const auto first = static_cast<std::size_t>(rng.below(17));
      const auto taken = static_cast<std::size_t>(rng.below(17 - first + 1));
      loader.start(static_cast<std::int64_t>(epoch), static_cast<std::int64_t>(first));
      for (std::size_t i = 0; i < taken; ++i) {
        const auto batch = loader.next();
        ASSERT_EQ(batch.has_value(), first + i < 16);
        if (batch) {
          ASSERT_TRUE(same(*batch, expected[epoch][first + i]));
        }
      }
    }
  }
}

TEST(LoaderThreads, WorkersLiveAcrossEpochs) {
  class Watching : public FakeDataset {
   public:
    using FakeDataset::FakeDataset;
    mutable std::mutex mutex;
    mutable std::set<std::thread::id> threads;
    std::optional<Image> get(std::int64_t index, std::uint64_t seed, std::int64_t epoch) const override {
      {
        const std::lock_guard lock(mutex);
        threads.insert(std::this_thread::get_id());
      }
      return FakeDataset::get(index, seed, epoch);
    }
  };
  auto data = std::make_shared<Watching>(40);
  {
    Loader loader(data, {.batch_size = 2, .workers = 2});
    for (int epoch = 0; epoch < 20; ++epoch) {
      ASSERT_EQ(epoch_of(loader, epoch).size(), 20U);
    }
  }
  EXPECT_LE(data->threads.size(), 2U);
  EXPECT_FALSE(data->threads.contains(std::this_thread::get_id()));
}

TEST(LoaderThreads, NothingBeforeStartAndNothingInAnEmptySet) {
  for (const int workers : {0, 2}) {
    Loader loader(std::make_shared<FakeDataset>(10), {.batch_size = 4, .workers = workers});
    EXPECT_FALSE(loader.next().has_value());
    Loader empty(std::make_shared<FakeDataset>(0), {.batch_size = 4, .workers = workers});
    EXPECT_EQ(empty.batches(), 0);
    EXPECT_TRUE(epoch_of(empty, 0).empty());
    Loader dropped(std::make_shared<FakeDataset>(3), {.batch_size = 4, .drop_last = true, .workers = workers});
    EXPECT_TRUE(epoch_of(dropped, 0).empty());
  }
}

TEST(LoaderThreads, ABatchOfBadImagesIsEmptyButThere) {
  auto data = std::make_shared<FakeDataset>(9);
  data->bad = {3, 4, 5};
  for (const int workers : {0, 2}) {
    Loader loader(data, {.batch_size = 3, .workers = workers});
    const auto batches = epoch_of(loader, 0);
    ASSERT_EQ(batches.size(), 3U);
    EXPECT_EQ(batches[1].size, 0);
    EXPECT_EQ(batches[1].number, 1);
    EXPECT_TRUE(batches[1].pixels.empty());
    EXPECT_EQ(batches[2].indices, (std::vector<std::int64_t>{6, 7, 8}));
  }
}

/// Its pictures lie in a block, every third mirrored; some are bad.
class HeldDataset final : public FakeDataset {
 public:
  explicit HeldDataset(std::int64_t size) : FakeDataset(size), bytes_(static_cast<std::size_t>(size) * 12) {}
  std::span<const std::uint8_t> block() const override { return bytes_; }
  std::optional<bool> mirrored(std::int64_t index, std::uint64_t, std::int64_t epoch) const override {
    return bad.contains(index) ? std::nullopt : std::optional((index + epoch) % 3 == 0);
  }

 private:
  std::vector<std::uint8_t> bytes_;
};

TEST(Loader, NamesPicturesOfABlockInTheSameOrder) {
  auto data = std::make_shared<HeldDataset>(23);
  data->bad = {4, 5, 17};
  Loader plain(data, {.batch_size = 4, .shuffle = true, .seed = 5});
  Loader held(data, {.batch_size = 4, .shuffle = true, .seed = 5, .held = true});
  for (std::int64_t epoch = 0; epoch < 2; ++epoch) {
    plain.start(epoch, epoch);
    held.start(epoch, epoch);
    const auto reads = data->reads.load();
    while (const auto batch = held.next()) {
      EXPECT_EQ(batch->held, data.get());
      EXPECT_TRUE(batch->pixels.empty());
      ASSERT_EQ(batch->mirrored.size(), batch->indices.size());
      for (std::size_t i = 0; i < batch->indices.size(); ++i) {
        EXPECT_EQ(batch->mirrored[i], (batch->indices[i] + epoch) % 3 == 0 ? 1 : 0);
      }
      EXPECT_EQ(data->reads, reads);
      // the other one reads
      const auto other = [&] {
        const std::int64_t before = data->reads;
        auto result = plain.next();
        data->reads = before;
        return result;
      }();
      ASSERT_TRUE(other.has_value());
      EXPECT_EQ(other->held, nullptr);
      EXPECT_EQ(batch->size, other->size);
      EXPECT_EQ(batch->indices, other->indices);
      EXPECT_EQ(batch->labels, other->labels);
    }
  }
}

TEST(Loader, RefusesOptionsOutOfRange) {
  EXPECT_THROW(Loader(std::make_shared<FakeDataset>(3), {.batch_size = 1, .held = true}), std::invalid_argument);
  auto data = std::make_shared<FakeDataset>(10);
  EXPECT_THROW(Loader(data, {.batch_size = 0}), std::invalid_argument);
  EXPECT_THROW(Loader(data, {.batch_size = 1, .workers = -1}), std::invalid_argument);
  Loader loader(data, {.batch_size = 4});
  EXPECT_THROW(loader.start(0, 4), std::invalid_argument);
  EXPECT_THROW(loader.start(0, -1), std::invalid_argument);
  loader.start(0, 3);
  EXPECT_FALSE(loader.next().has_value());
}

}  // namespace
}  // namespace effnetv2
