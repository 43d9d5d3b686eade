#include <algorithm>
#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <opencv2/imgcodecs.hpp>
#include <sys/resource.h>

#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"
#include "effnetv2/core/hash.h"
#include "effnetv2/core/lock.h"
#include "effnetv2/core/rng.h"
#include "effnetv2/core/stop.h"
#include "effnetv2/data/dataset.h"
#include "effnetv2/data/loader.h"
#include "effnetv2/data/pack_store.h"

#include "support/pack_file.h"
#include "support/temp_dir.h"

namespace effnetv2 {
namespace {

using test::number_at;
using test::put_number;
using test::TempDir;
using Places = test::PackPlaces;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::int64_t kFiles = 40;
/// Forty noisy pictures in two classes.
class PackTest : public ::testing::Test {
 protected:
  PackTest() {
    config.root = (folder / "photos").string();
    config.image_size = 12;
    config.cache_dir = (folder / "packs").string();
    Rng rng = Rng::stream(3, Purpose::test);
    for (std::int64_t i = 0; i < kFiles; ++i) {
      cv::Mat picture(static_cast<int>(9 + rng.below(20)), static_cast<int>(9 + rng.below(20)), CV_8UC3);
      for (auto byte = picture.datastart; byte != picture.dataend; ++byte) {
        *const_cast<uchar*>(byte) = static_cast<uchar>(rng.next());
      }
      const auto path = photo(i);
      std::filesystem::create_directories(path.parent_path());
      cv::imwrite(path.string(), picture);
    }
  }
  void TearDown() override { clear_stop_request(); }

  std::filesystem::path photo(std::int64_t i) const {
    return folder / ("photos/" + std::string(i % 2 == 0 ? "heron" : "tern") + "/" + std::to_string(100 + i) + ".png");
  }
  void damage(std::int64_t i) { std::ofstream(photo(i)) << "this is no picture"; }

  Listing list() const { return list_images(config); }
  PackContents contents() const { return packs_of(config, list(), false).front(); }
  PackStore store() const { return PackStore(pack_folder(config)); }
  PackOptions options() const {
    PackOptions options;
    options.workers = 3;
    options.on_bad_image = config.on_bad_image;
    return options;
  }
  PackOutcome make() const { return store().make(contents(), options()); }
  std::filesystem::path path() const { return store().path_of(contents()); }

  /// A new file each time: some file systems wait for the disk where an old one is written over.
  void write_copy(const std::string& bytes) const {
    std::filesystem::remove(folder / "copy.pack");
    folder.write("copy.pack", bytes);
  }

  std::vector<std::string> names_in_store() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(*config.cache_dir)) {
      names.push_back(entry.path().filename().string());
    }
    std::ranges::sort(names);
    return names;
  }

  /// What every picture of `all` should be; nullopt for a bad one.
  std::vector<std::optional<Image>> expected(const PackContents& all) const {
    DataConfig skipping = config;
    skipping.on_bad_image = OnBadImage::skip;
    const bool whole = all.transform.prepared_is_final_size();
    std::vector<std::optional<Image>> images;
    for (std::size_t i = 0; i < all.files.size(); ++i) {
      try {
        cv::Mat picture = cv::imread((all.root / all.files.path(i)).string());
        if (picture.empty()) {
          throw DataError("");
        }
        Image image(picture.cols, picture.rows);
        for (std::int64_t p = 0; p < image.width * image.height; ++p) {
          for (std::int64_t c = 0; c < 3; ++c) {  // BGR
            image.pixels[static_cast<std::size_t>(3 * p + c)] = picture.data[3 * p + 2 - c];
          }
        }
        images.emplace_back(whole ? all.transform.prepare(std::move(image)) : std::move(image));
      } catch (const DataError&) {
        images.emplace_back(std::nullopt);
      }
    }
    return images;
  }

  /// Reads all: what does not throw is right. False if anything threw; that is a DataError of one line.
  bool reads_right(const std::filesystem::path& file, const std::vector<std::optional<Image>>& images) const {
    try {
      const PackReader pack(file);
      EXPECT_EQ(pack.size(), images.size());
      for (int round = 0; round < 2; ++round) {  // checked, and then out of the map
        for (std::uint32_t i = 0; i < pack.size(); ++i) {
          EXPECT_EQ(pack.bad(i), !images[i].has_value());
          if (!pack.bad(i)) {
            EXPECT_EQ(pack.read(i), images[i]) << "wrong pixels";
          }
        }
      }
      return true;
    } catch (const DataError& e) {
      EXPECT_THAT(e.what(), AllOf(HasSubstr(file.string()), HasSubstr("delete it"), HasSubstr("data pack")));
      EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
      return false;
    }
  }

  TempDir folder;
  DataConfig config;
};
using PackThreads = PackTest;

TEST_F(PackThreads, HoldsThePicturesAsTheyArePrepared) {
  std::vector<DataConfig> configs(5, config);
  configs[1].resize = ResizeMode::center_crop;
  configs[1].resize_size = 17;
  configs[1].interpolation = Interpolation::bicubic;
  configs[2].augment.random_resized_crop = RandomResizedCropConfig{};
  configs[3].decode = Decode::fast;
  configs[4].image_size = 33;  // 3267 bytes, no multiple of 64
  for (const auto& one : configs) {
    config = one;
    config.cache_dir = (folder / ("packs" + std::to_string(&one - configs.data()))).string();
    for (const auto& all : packs_of(config, list(), true)) {
      const PackOutcome outcome = store().make(all, options());
      ASSERT_TRUE(outcome.pack);
      EXPECT_EQ(outcome.decoded, static_cast<std::int64_t>(all.files.size()));
      EXPECT_EQ(outcome.pack->path(), store().path_of(all));
      EXPECT_EQ(outcome.pack->bytes(), std::filesystem::file_size(outcome.pack->path()));
      EXPECT_EQ(outcome.pack->form(), all.transform.form());
      EXPECT_EQ(outcome.pack->side(), all.transform.prepared_is_final_size() ? config.image_size : 0);
      EXPECT_EQ(outcome.pack->root(), *config.root);
      EXPECT_TRUE(reads_right(outcome.pack->path(), expected(all)));
    }
  }
  EXPECT_THAT(names_in_store(), AllOf(SizeIs(1), ::testing::Each(::testing::EndsWith(".pack"))));
}

TEST_F(PackThreads, ADataSetIsTheSameWithAPackACacheAndWithout) {
  damage(6);
  config.on_bad_image = OnBadImage::skip;
  config.split.val = 0.25;
  for (const bool crops : {false, true}) {
    config.augment.flip = 0.5;
    if (crops) {
      config.augment.random_resized_crop = RandomResizedCropConfig{};
    }
    const Listing listing = list();
    for (const auto& all : packs_of(config, listing, false)) {
      ASSERT_TRUE(store().make(all, options()).pack);
    }
    for (const auto mode : {Transform::Mode::train, Transform::Mode::eval}) {
      const FileList& files = mode == Transform::Mode::train ? listing.train : listing.val;
      const auto batches = [&](int kind, int workers) {
        auto data = std::make_shared<ImageDataset>(listing.root, files, config, mode);
        if (kind == 1) {
          data->fill_cache(2);
        } else if (kind == 2) {
          auto found = store().find(data->transform(), files);
          EXPECT_TRUE(found);
          data->use_pack(std::move(*found));
        }
        Loader loader(data, {.batch_size = 7, .shuffle = true, .workers = workers, .seed = 5});
        std::vector<std::uint8_t> bytes;
        for (std::int64_t epoch = 0; epoch < 2; ++epoch) {
          loader.start(epoch);
          while (const auto batch = loader.next()) {
            bytes.insert(bytes.end(), batch->pixels.begin(), batch->pixels.end());
            bytes.insert(bytes.end(), batch->labels.begin(), batch->labels.end());
          }
        }
        return std::pair(bytes, data->bad_images());
      };
      const auto plain = batches(0, 0);
      EXPECT_GT(plain.first.size(), 100U);
      EXPECT_EQ(batches(1, 3), plain);
      EXPECT_EQ(batches(2, 0), plain);
      EXPECT_EQ(batches(2, 3), plain);
    }
  }
}

TEST_F(PackTest, OneServesEverySplitAndWhateverDoesNotChangeThePixels) {
  config.split.val = 0.3;
  const PackOutcome first = make();
  ASSERT_TRUE(first.pack);
  const auto before = path();
  config.split = {.val = 0.1, .test = 0.4, .seed = 7};
  config.augment.flip = 0.5;
  config.mean = {0, 0, 0};
  config.std = {1, 1, 1};
  config.workers = 1;
  config.on_bad_image = OnBadImage::skip;
  config.cache = Cache::none;
  config.resize_size = 40;  // of center_crop only
  EXPECT_EQ(path(), before);
  EXPECT_TRUE(make().stood_already);
  // a moved folder is found too, and a part of the pictures
  std::filesystem::rename(*config.root, folder / "moved");
  config.root = (folder / "moved").string();
  config.images_per_class = 5;
  const Listing listing = list();
  const auto found = store().find(Transform(config, Transform::Mode::train), listing.train);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->pack->path(), before);
  EXPECT_THAT(found->pictures, SizeIs(listing.train.size()));
}

TEST_F(PackTest, EverythingThatChangesThePixelsChangesItsName) {
  std::vector<std::function<void(DataConfig&)>> changes{
      [](DataConfig&) {},
      [](DataConfig& c) { c.image_size = 13; },
      [](DataConfig& c) { c.resize = ResizeMode::center_crop; },
      [](DataConfig& c) { c.resize = ResizeMode::center_crop, c.resize_size = 14; },
      [](DataConfig& c) { c.interpolation = Interpolation::bicubic; },
      [](DataConfig& c) { c.decode = Decode::fast; },
      [](DataConfig& c) { c.augment.random_resized_crop = RandomResizedCropConfig{}; },
      [](DataConfig& c) { c.augment.random_resized_crop = RandomResizedCropConfig{}, c.decode = Decode::fast; },
      [](DataConfig& c) {
        c.augment.random_resized_crop = RandomResizedCropConfig{.scale = {0.5, 1.0}};
        c.decode = Decode::fast;
      },
      [](DataConfig& c) {
        c.augment.random_resized_crop = RandomResizedCropConfig{};
        c.decode = Decode::fast, c.image_size = 13;
      },
      [](DataConfig& c) { c.images_per_class = 4; },
  };
  std::set<std::filesystem::path> paths;
  for (const auto& change : changes) {
    const DataConfig before = config;
    change(config);
    EXPECT_TRUE(paths.insert(path()).second);
    config = before;
  }
  const Listing listing = list();
  const auto path_of = [&](const FileList& files) {
    return store().path_of({listing.root, files, Transform(config, Transform::Mode::eval)});
  };
  for (int part = 0; part < 4; ++part) {
    FileList files;
    for (std::size_t i = 0; i < listing.train.size(); ++i) {
      ImageFile file = listing.train[i];
      if (i == 3) {
        file.path += part == 0 ? "x" : "";
        file.bytes += part == 1 ? 1 : 0;
        file.modified += part == 2 ? 1 : 0;
        if (part == 3) {
          continue;
        }
      }
      files.push_back(file);
    }
    EXPECT_TRUE(paths.insert(path_of(files)).second) << part;
  }
}

TEST_F(PackTest, IsNotUsedForFilesThatChanged) {
  config.split.val = 0.0;
  ASSERT_TRUE(make().pack);
  const auto find = [&] { return store().find(Transform(config, Transform::Mode::eval), list().train); };
  ASSERT_TRUE(find());
  const auto time = std::filesystem::last_write_time(photo(5));
  std::filesystem::last_write_time(photo(5), time + std::chrono::nanoseconds(1000));
  EXPECT_FALSE(find()) << "another time";
  std::filesystem::last_write_time(photo(5), time);
  EXPECT_TRUE(find());
  std::filesystem::copy_file(photo(5), folder / "photos/tern/new.png");
  EXPECT_FALSE(find()) << "a new file";
  std::filesystem::remove(folder / "photos/tern/new.png");
  EXPECT_TRUE(find());
  std::ofstream(photo(5), std::ios::app) << "x";
  std::filesystem::last_write_time(photo(5), time);
  EXPECT_FALSE(find()) << "another size";
  config.image_size = 13;
  EXPECT_FALSE(find());
}

TEST_F(PackThreads, ANewOneTakesWhatDidNotChangeFromTheOld) {
  ASSERT_TRUE(make().pack);
  const auto old = path();
  std::filesystem::copy_file(photo(5), folder / "photos/heron/000.png");
  std::filesystem::last_write_time(photo(4), std::filesystem::last_write_time(photo(4)) + std::chrono::seconds(1));
  std::filesystem::remove(photo(9));
  const PackOutcome outcome = make();
  ASSERT_TRUE(outcome.pack);
  EXPECT_EQ(outcome.copied, kFiles - 2);
  EXPECT_EQ(outcome.decoded, 2);
  EXPECT_TRUE(reads_right(path(), expected(contents())));
  const auto others = store().others(contents());
  ASSERT_THAT(others, SizeIs(1));
  EXPECT_EQ(others[0].path, old);
  EXPECT_EQ(others[0].bytes, std::filesystem::file_size(old));
  const std::string copied = read_file(path());
  config.cache_dir = (folder / "elsewhere").string();
  ASSERT_EQ(make().decoded, kFiles);
  EXPECT_EQ(read_file(path()), copied) << "the same bytes as one that is decoded";
}

TEST_F(PackThreads, AnyByteThatIsWrongIsNoticed) {
  damage(30);
  config.on_bad_image = OnBadImage::skip;
  ASSERT_EQ(make().bad, 1);
  const auto images = expected(contents());
  const std::string whole = read_file(path());
  const auto copy = folder / "copy.pack";
  ASSERT_TRUE(reads_right(path(), images));
  Rng rng = Rng::stream(11, Purpose::test);
  const std::size_t entries_at = number_at(whole, Places::kEntriesAt);
  const std::vector<std::pair<std::size_t, std::size_t>> regions{
      {0, 80}, {80, 4096}, {4096, entries_at}, {entries_at, whole.size()}};
  for (int round = 0; round < 400; ++round) {
    const auto [from, to] = regions[static_cast<std::size_t>(round) % regions.size()];
    std::string bytes = whole;
    char& byte = bytes[from + rng.below(to - from)];
    byte = static_cast<char>(byte ^ (1 << rng.below(8)));
    write_copy(bytes);
    EXPECT_FALSE(reads_right(copy, images)) << "byte " << &byte - bytes.data();
  }
  for (int round = 0; round < 100; ++round) {
    write_copy(whole.substr(0, rng.below(whole.size())));
    EXPECT_FALSE(reads_right(copy, images));
  }
  write_copy(whole + "x");
  EXPECT_FALSE(reads_right(copy, images));
  write_copy("");
  EXPECT_FALSE(reads_right(copy, images));
  EXPECT_THROW(PackReader(folder / "none.pack"), EnvironmentError);
  EXPECT_THROW(PackReader(folder.path()), DataError);
}

TEST_F(PackTest, AFileMadeToMisleadHarmsNothing) {
  ASSERT_TRUE(make().pack);
  const std::string whole = read_file(path());
  const std::size_t entries_at = number_at(whole, Places::kEntriesAt);
  Rng rng = Rng::stream(12, Purpose::test);
  int refused = 0;
  for (int round = 0; round < 600; ++round) {
    std::string bytes = whole;
    for (std::uint64_t i = 0; i <= rng.below(3); ++i) {
      const std::vector<std::uint64_t> values{0,
                                              1,
                                              63,
                                              64,
                                              4096,
                                              entries_at,
                                              bytes.size(),
                                              rng.next(),
                                              UINT64_MAX,
                                              UINT64_MAX / 64,
                                              UINT32_MAX,
                                              bytes.size() - 1,
                                              rng.below(bytes.size())};
      const std::uint64_t value = values[rng.below(values.size())];
      const std::size_t places[] = {Places::kFileBytes,  Places::kPictures,  Places::kEntriesAt,
                                    Places::kPathsBytes, Places::kTextBytes, Places::kSide};
      const bool in_header = rng.below(3) == 0;
      put_number(bytes, in_header ? places[rng.below(6)] : entries_at + 64 * rng.below(kFiles) + 4 * rng.below(13),
                 value);
    }
    write_copy(test::with_fitting_checksums(std::move(bytes)));
    try {
      const PackReader pack(folder / "copy.pack");
      for (std::uint32_t i = 0; i < pack.size(); ++i) {
        pack.find("tern/101.png", 1, 1, i);
        if (!pack.bad(i)) {
          pack.read(i);
        }
      }
    } catch (const DataError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 400);
}

/// What a fuzzer found worth keeping.
TEST_F(PackTest, TheFuzzersCorpusHarmsNothing) {
  int files = 0;
  for (const auto& file :
       std::filesystem::directory_iterator(std::string(EFFNETV2_SOURCE_DIR) + "/tests/fuzz/corpus/pack")) {
    write_copy(test::with_fitting_checksums(read_file(file.path())));
    try {
      const PackReader pack(folder / "copy.pack");
      for (std::uint32_t i = 0; i < pack.size(); ++i) {
        pack.bad(i) ? Image() : pack.read(i);
      }
    } catch (const DataError& e) {
      EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
    }
    ++files;
  }
  EXPECT_GE(files, 2);
}

TEST_F(PackThreads, GoesOnFromWhateverAnEarlierProcessLeft) {
  damage(17);
  config.on_bad_image = OnBadImage::skip;
  for (const bool crops : {false, true}) {
    if (crops) {
      config.augment.random_resized_crop = RandomResizedCropConfig{};
      config.split.val = 0.0;
    }
    ASSERT_TRUE(make().pack);
    const auto file = path();
    const std::string whole = read_file(file);
    const std::size_t entries_at = number_at(whole, Places::kEntriesAt);
    const auto images = static_cast<std::int64_t>(contents().files.size());
    Rng rng = Rng::stream(21, Purpose::test);
    std::set<std::int64_t> seen;
    for (int round = 0; round < 40; ++round) {
      std::filesystem::remove(file);
      std::string part = whole.substr(0, rng.below(whole.size()));
      std::string journal = whole.substr(entries_at, rng.below(64 * static_cast<std::uint64_t>(images) + 1));
      const auto kind = rng.below(4);
      if (kind == 1 && !part.empty()) {
        part[rng.below(part.size())] ^= 4;
      } else if (kind == 2 && !journal.empty()) {
        journal[rng.below(journal.size())] ^= 16;
      } else if (kind == 3) {
        part.resize(whole.size() + 100, '\0');  // what a power cut leaves: room without the bytes
      }
      std::ofstream(file.string() + ".part", std::ios::binary) << part;
      std::ofstream(file.string() + ".journal", std::ios::binary) << journal;
      const PackOutcome outcome = make();
      ASSERT_TRUE(outcome.pack);
      ASSERT_EQ(read_file(file), whole) << "round " << round;
      EXPECT_EQ(outcome.kept + outcome.decoded, images);
      EXPECT_LE(outcome.kept, static_cast<std::int64_t>(journal.size() / 64));
      seen.insert(outcome.kept);
    }
    EXPECT_GT(seen.size(), 10U) << "something is kept of most";
    EXPECT_THAT(names_in_store(), ::testing::Each(::testing::EndsWith(".pack")));
  }
}

TEST_F(PackThreads, AStopKeepsWhatIsDone) {
  // 17 pictures a block: what is packed when the stop comes lies between the ends
  config.image_size = 600;
  PackOptions stopping = options();
  stopping.workers = 1;
  stopping.progress = [](std::int64_t done, std::int64_t) {
    if (done > 3) {
      request_stop();
    }
  };
  const PackOutcome cut = store().make(contents(), stopping);
  EXPECT_FALSE(cut.pack);
  EXPECT_FALSE(std::filesystem::exists(path()));
  EXPECT_FALSE(store().find(Transform(config, Transform::Mode::eval), list().train));
  EXPECT_FALSE(make().pack) << "the stop still stands";
  clear_stop_request();
  const PackOutcome rest = make();
  ASSERT_TRUE(rest.pack);
  EXPECT_GT(rest.kept, 0);
  EXPECT_LT(rest.kept, kFiles);
  EXPECT_EQ(rest.kept + rest.decoded, kFiles);
  EXPECT_TRUE(reads_right(path(), expected(contents())));
}

TEST_F(PackThreads, ABadPictureStopsItOrIsRecorded) {
  damage(22);
  damage(23);
  const auto refusal = [&] {
    try {
      make();
      return std::string();
    } catch (const DataError& e) {
      return std::string(e.what());
    }
  };
  EXPECT_THAT(refusal(), AllOf(HasSubstr(photo(22).string()), HasSubstr("on_bad_image")));
  EXPECT_FALSE(std::filesystem::exists(path()));
  config.on_bad_image = OnBadImage::skip;
  const PackOutcome outcome = make();
  ASSERT_TRUE(outcome.pack);
  EXPECT_GE(outcome.kept, 11) << "the herons before it";
  EXPECT_EQ(outcome.bad, 2);
  EXPECT_EQ(make().bad, 2);
  const Listing listing = list();
  ImageDataset data(listing.root, listing.train, config, Transform::Mode::eval);
  data.use_pack(*store().find(data.transform(), listing.train));
  EXPECT_THAT(data.bad_images().size() + list().val.size(), ::testing::Ge(2U));
  // a pack with a bad picture is no way around on_bad_image: error
  config.on_bad_image = OnBadImage::error;
  EXPECT_THAT(refusal(), HasSubstr(photo(22).string()));
  config.split.val = 0.0;
  const FileList all = list().train;
  ImageDataset strict(*config.root, all, config, Transform::Mode::eval);
  strict.use_pack(*store().find(strict.transform(), all));
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto get = [&] { return strict.get(static_cast<std::int64_t>(i), 0, 0); };
    if (all.path(i) == "heron/122.png" || all.path(i) == "tern/123.png") {
      EXPECT_THROW(get(), DataError);
    } else {
      EXPECT_TRUE(get());
    }
  }
}

TEST_F(PackTest, VerifyMendsWhatIsDamaged) {
  ASSERT_TRUE(make().pack);
  const std::string whole = read_file(path());
  PackOptions verifying = options();
  verifying.verify = true;
  std::vector<std::string> told;
  verifying.tell = [&](const std::string& message) { told.push_back(message); };
  EXPECT_TRUE(store().make(contents(), verifying).stood_already);
  EXPECT_THAT(told, IsEmpty());

  std::string bytes = whole;
  bytes[5000] ^= 1;
  std::ofstream(path(), std::ios::binary) << bytes;
  PackOutcome outcome = store().make(contents(), verifying);
  ASSERT_TRUE(outcome.pack);
  EXPECT_EQ(outcome.decoded, 1);
  EXPECT_EQ(outcome.copied, kFiles - 1);
  EXPECT_THAT(told, ElementsAre(HasSubstr("the checksum of heron/1")));
  EXPECT_EQ(read_file(path()), whole);

  bytes = whole;
  bytes[20] ^= 1;
  std::ofstream(path(), std::ios::binary) << bytes;
  std::vector<std::string> damaged;
  EXPECT_FALSE(store().find(Transform(config, Transform::Mode::eval), list().train, &damaged));
  EXPECT_THAT(damaged, ElementsAre(HasSubstr("is damaged: its header")));
  outcome = store().make(contents(), options());
  EXPECT_EQ(outcome.decoded, kFiles) << "asked for, it is made anew without --verify where it cannot be opened";
  EXPECT_EQ(read_file(path()), whole);
}

TEST_F(PackTest, WhatAKilledProcessLeftBesideAWholePackGoes) {
  ASSERT_TRUE(make().pack);
  const std::string file = path().string(), name = path().filename().string();
  const auto leave = [&](const char* extension) { std::ofstream(file + extension) << "left"; };
  leave(".journal");
  leave(".lock");
  {
    const FileLock held(file + ".lock");
    EXPECT_TRUE(make().stood_already);
    EXPECT_THAT(names_in_store(), SizeIs(3)) << "its process may be at work";
  }
  EXPECT_TRUE(make().stood_already);
  EXPECT_THAT(names_in_store(), ElementsAre(name));

  leave(".part");  // of one that mended the pack
  leave(".journal");
  leave(".lock");
  EXPECT_TRUE(make().stood_already);
  EXPECT_THAT(names_in_store(), ElementsAre(name, name + ".journal", name + ".part"));
}

TEST_F(PackThreads, OneMakesItWhileTheOtherWaits) {
  config.image_size = 300;
  const PackContents all = contents();
  std::vector<PackOutcome> outcomes(3);
  std::vector<std::thread> threads;
  for (auto& outcome : outcomes) {
    threads.emplace_back([&] { outcome = store().make(all, options()); });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(std::ranges::count(outcomes, kFiles, &PackOutcome::decoded), 1);
  EXPECT_EQ(std::ranges::count(outcomes, true, &PackOutcome::stood_already), 2);
  EXPECT_THAT(names_in_store(), SizeIs(1));

  // and says so
  config.image_size = 16;
  std::filesystem::create_directories(*config.cache_dir);
  auto held = std::make_unique<FileLock>(path().string() + ".lock");
  PackOptions waiting = options();
  std::vector<std::string> told;
  waiting.tell = [&](const std::string& message) {
    told.push_back(message);
    held.reset();
  };
  EXPECT_TRUE(store().make(contents(), waiting).pack);
  EXPECT_THAT(told, ElementsAre(AllOf(HasSubstr("is being made by another process"), HasSubstr("process "))));
}

TEST_F(PackThreads, ManyReadAtOnce) {
  ASSERT_TRUE(make().pack);
  const auto images = expected(contents());
  const PackReader pack(path());
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::vector<std::uint32_t> all(pack.size());
      for (std::uint32_t i = 0; i < pack.size(); ++i) {
        all[i] = (i * 7 + t) % static_cast<std::uint32_t>(pack.size());
      }
      pack.will_read(all);
      for (int round = 0; round < 3; ++round) {
        for (const std::uint32_t i : all) {
          EXPECT_EQ(pack.read(i), images[i]);
        }
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
}

/// Stands in for a full disk: the system lets no file of this process grow beyond so many bytes.
class LimitedFiles {
 public:
  explicit LimitedFiles(std::uint64_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~LimitedFiles() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST_F(PackTest, AFullDiskKeepsWhatIsDone) {
  config.image_size = 600;
  {
    const LimitedFiles limited(30 << 20);
    try {
      make();
      FAIL() << "43 MB fit into 30 MiB";
    } catch (const EnvironmentError& e) {
      EXPECT_THAT(e.what(), AllOf(HasSubstr(path().string()), HasSubstr("more are needed"), HasSubstr("are free"),
                                  HasSubstr("data.cache_dir")));
    }
    EXPECT_FALSE(std::filesystem::exists(path()));
  }
  const PackOutcome outcome = make();
  ASSERT_TRUE(outcome.pack);
  EXPECT_GT(outcome.kept, 0);
  EXPECT_TRUE(reads_right(path(), expected(contents())));
}

TEST_F(PackTest, IsLookedForWhereTheConfigSays) {
  EXPECT_EQ(pack_folder(config), *config.cache_dir);
  config.cache_dir.reset();
  const auto with = [&](const char* caches, const char* home) {
    const std::string old_caches = std::getenv("XDG_CACHE_HOME") ? std::getenv("XDG_CACHE_HOME") : "";
    const std::string old_home = std::getenv("HOME") ? std::getenv("HOME") : "";
    ::setenv("XDG_CACHE_HOME", caches, 1);
    ::setenv("HOME", home, 1);
    std::string result;
    try {
      result = pack_folder(config).string();
    } catch (const EnvironmentError& e) {
      result = e.what();
    }
    ::setenv("XDG_CACHE_HOME", old_caches.c_str(), 1);
    ::setenv("HOME", old_home.c_str(), 1);
    return result;
  };
  EXPECT_EQ(with("/caches", "/me"), "/caches/effnetv2");
  EXPECT_EQ(with("", "/me"), "/me/.cache/effnetv2");
  EXPECT_EQ(with("relative", "/me"), "/me/.cache/effnetv2");
  EXPECT_THAT(with("", ""), HasSubstr("data.cache_dir"));
}

TEST_F(PackTest, FoldersThatCannotBeWrittenAreNamed) {
  folder.write("packs", "a file where the folder should be");
  EXPECT_THROW(make(), EnvironmentError);
  EXPECT_FALSE(store().find(Transform(config, Transform::Mode::eval), list().train));
}

}  // namespace
}  // namespace effnetv2
