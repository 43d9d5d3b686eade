#include "effnetv2/data/synth.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>
#include <set>
#include <span>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"
#include "effnetv2/core/hash.h"
#include "effnetv2/core/rng.h"
#include "effnetv2/core/stop.h"
#include "effnetv2/data/decode.h"
#include "effnetv2/data/listing.h"

#include "support/temp_dir.h"

namespace effnetv2 {
namespace {

using test::TempDir;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::uint64_t hash_of(const Image& image) {
  return quick_checksum(image.pixels.data(), image.pixels.size());
}

std::uint64_t hash_of_set(const SynthOptions& options) {
  Fingerprint hash;
  for (std::int64_t label = 0; label < 10; ++label) {
    for (std::int64_t index = 0; index < options.images_per_class; ++index) {
      hash.add(hash_of(draw_synthetic(label, index, options)));
    }
  }
  return hash.value();
}

TEST(Synth, HasTenClassesInByteOrder) {
  EXPECT_THAT(synthetic_classes(), ElementsAre("checkerboard", "circle", "cross", "dots", "ring", "square", "star",
                                               "stripes", "triangle", "waves"));
}

TEST(Synth, PixelsNeverChange) {
  EXPECT_EQ(hash_of_set({.images_per_class = 30, .size = 32, .seed = 42}), 13995246867583519729ULL);
  EXPECT_EQ(hash_of_set({.images_per_class = 3, .size = 45, .seed = 7}), 4928903056286144371ULL);
}

TEST(Synth, PicturesDifferByClassIndexAndSeed) {
  std::set<std::uint64_t> seen;
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    for (std::int64_t label = 0; label < 10; ++label) {
      for (std::int64_t index = 0; index < 20; ++index) {
        const Image image = draw_synthetic(label, index, {.seed = seed});
        EXPECT_EQ(image.width, 32);
        EXPECT_EQ(image.height, 32);
        EXPECT_TRUE(seen.insert(hash_of(image)).second);
      }
    }
  }
}

TEST(Synth, EitherColourMayBeTheLighter) {
  const auto mean = [](const Image& image, std::int64_t low, std::int64_t high) {
    double sum = 0.0;
    std::int64_t count = 0;
    for (std::int64_t y = low; y < high; ++y) {
      for (std::int64_t x = low; x < high; ++x) {
        for (std::int64_t c = 0; c < 3; ++c) {
          sum += image.pixels[static_cast<std::size_t>((y * image.width + x) * 3 + c)];
          ++count;
        }
      }
    }
    return sum / static_cast<double>(count);
  };
  int lighter = 0;
  for (std::int64_t index = 0; index < 400; ++index) {
    const Image circle = draw_synthetic(1, index, {});
    lighter += mean(circle, 14, 18) > mean(circle, 0, 2) ? 1 : 0;
  }
  EXPECT_NEAR(lighter, 200, 60);
}

struct Samples {
  std::vector<std::vector<float>> pixels;
  std::vector<std::int64_t> labels;
};

/// `count` pictures of each class from `first` on; `mark` paints the class into the picture as a bright spot.
Samples draw(std::int64_t first, std::int64_t count, bool mark) {
  Samples samples;
  for (std::int64_t label = 0; label < 10; ++label) {
    for (std::int64_t index = first; index < first + count; ++index) {
      Image image = draw_synthetic(label, index, {});
      if (mark) {
        std::fill_n(image.pixels.begin() + label * 300, 48, std::uint8_t{255});
      }
      std::vector<float> row(image.pixels.size());
      std::ranges::transform(image.pixels, row.begin(),
                             [](std::uint8_t v) { return (static_cast<float>(v) - 127.5F) / 64.0F; });
      samples.pixels.push_back(std::move(row));
      samples.labels.push_back(label);
    }
  }
  return samples;
}

/// Softmax regression on pixels with a little weight decay, by Adam with the learning rate brought down to nothing.
class LinearClassifier {
 public:
  explicit LinearClassifier(const Samples& samples) {
    const std::size_t features = samples.pixels.front().size() + 1;  // the last is the bias
    weights_.assign(features, {});
    std::vector<Row> gradient(features), mean(features), square(features);
    std::vector<std::size_t> order(samples.labels.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    Rng rng = Rng::stream(1, Purpose::test);
    constexpr int kEpochs = 20;
    constexpr std::size_t kBatch = 100;
    const std::size_t steps = kEpochs * (order.size() / kBatch);
    std::size_t step = 0;
    for (int epoch = 0; epoch < kEpochs; ++epoch) {
      rng.shuffle(std::span(order));
      for (std::size_t begin = 0; begin + kBatch <= order.size(); begin += kBatch) {
        std::ranges::fill(gradient, Row{});
        for (std::size_t k = begin; k < begin + kBatch; ++k) {
          add_gradient(samples, order[k], gradient);
        }
        const double progress = static_cast<double>(step) / static_cast<double>(steps);
        const float rate = 0.5e-3F * static_cast<float>(1.0 + std::cos(std::numbers::pi * progress));
        ++step;
        for (std::size_t f = 0; f < features; ++f) {
          for (std::size_t c = 0; c < 10; ++c) {
            const float g = gradient[f][c] / kBatch + 0.02F * weights_[f][c];
            mean[f][c] += 0.1F * (g - mean[f][c]);
            square[f][c] += 0.01F * (g * g - square[f][c]);
            weights_[f][c] -= rate * mean[f][c] / (std::sqrt(square[f][c]) + 1e-8F);
          }
        }
      }
    }
  }

  double accuracy(const Samples& samples) const {
    int right = 0;
    for (std::size_t i = 0; i < samples.labels.size(); ++i) {
      const Row scores = score(samples.pixels[i]);
      right += std::ranges::max_element(scores) - scores.begin() == samples.labels[i] ? 1 : 0;
    }
    return right / static_cast<double>(samples.labels.size());
  }

 private:
  using Row = std::array<float, 10>;

  Row score(const std::vector<float>& pixels) const {
    Row scores = weights_.back();
    for (std::size_t f = 0; f < pixels.size(); ++f) {
      for (std::size_t c = 0; c < 10; ++c) {
        scores[c] += pixels[f] * weights_[f][c];
      }
    }
    return scores;
  }

  void add_gradient(const Samples& samples, std::size_t i, std::vector<Row>& gradient) const {
    Row error = score(samples.pixels[i]);
    const float top = *std::ranges::max_element(error);
    float sum = 0.0F;
    for (float& e : error) {
      e = std::exp(e - top);
      sum += e;
    }
    for (float& e : error) {
      e /= sum;
    }
    error[static_cast<std::size_t>(samples.labels[i])] -= 1.0F;
    for (std::size_t f = 0; f < samples.pixels[i].size(); ++f) {
      for (std::size_t c = 0; c < 10; ++c) {
        gradient[f][c] += samples.pixels[i][f] * error[c];
      }
    }
    for (std::size_t c = 0; c < 10; ++c) {
      gradient.back()[c] += error[c];
    }
  }

  std::vector<Row> weights_;
};

TEST(Synth, IsNotForALinearClassifierOnPixels) {
  const std::int64_t held_out = SynthOptions{}.images_per_class / 5;
  const std::int64_t fitted = SynthOptions{}.images_per_class - held_out;
  const Samples train = draw(0, fitted, false);
  const LinearClassifier classifier(train);
  EXPECT_GT(classifier.accuracy(train), 0.5) << "it was not fitted";
  const double accuracy = classifier.accuracy(draw(fitted, held_out, false));
  RecordProperty("accuracy", std::to_string(accuracy));
  EXPECT_LT(accuracy, 0.5);
  EXPECT_GT(accuracy, 0.12) << "no better than chance: is the classifier trained?";
}

TEST(Synth, TheLinearClassifierFindsWhatIsLinear) {
  const LinearClassifier classifier(draw(0, 80, true));
  EXPECT_GT(classifier.accuracy(draw(80, 20, true)), 0.9);
}

class SynthFiles : public ::testing::Test {
 protected:
  void TearDown() override { clear_stop_request(); }

  std::string refusal(const SynthOptions& options) const {
    try {
      write_synthetic_dataset(folder / "set", options);
    } catch (const DataError& e) {
      return e.what();
    }
    return "accepted";
  }

  /// How many pictures a call draws.
  std::int64_t drawn(const SynthOptions& options) const {
    std::int64_t count = 0;
    write_synthetic_dataset(folder / "set", options, [&](std::int64_t, std::int64_t) { ++count; });
    return count;
  }

  void expect_whole(const SynthOptions& options) const {
    for (std::int64_t label = 0; label < 10; ++label) {
      for (std::int64_t index = 0; index < options.images_per_class; ++index) {
        const auto file = folder / "set" / synthetic_classes()[static_cast<std::size_t>(label)] /
                          ("000" + std::to_string(index) + ".png");
        ASSERT_EQ(decode_image(file), draw_synthetic(label, index, options)) << file;
      }
    }
  }

  TempDir folder;
  SynthOptions few{.images_per_class = 4, .size = 20, .seed = 3};
};

TEST_F(SynthFiles, AreThePicturesDrawn) {
  EXPECT_EQ(drawn(few), 40);
  expect_whole(few);
}

TEST_F(SynthFiles, AreADataSetOfTenClasses) {
  write_synthetic_dataset(folder / "set", few);
  DataConfig config;
  config.root = (folder / "set").string();
  config.split.val = 0.25;
  const Listing listing = list_images(config);
  EXPECT_EQ(listing.classes, synthetic_classes());
  EXPECT_EQ(listing.train.size(), 30U);
  EXPECT_EQ(listing.val.size(), 10U);
}

TEST_F(SynthFiles, AreWrittenOnce) {
  EXPECT_EQ(drawn(few), 40);
  EXPECT_EQ(drawn(few), 0);
  std::filesystem::remove(folder / "set/ring/0002.png");
  EXPECT_EQ(drawn(few), 40) << "a set that lacks one is made again";
  expect_whole(few);
  EXPECT_EQ(drawn(few), 0);
}

TEST_F(SynthFiles, ASetCutOffIsCompleted) {
  const auto stop_early = [](std::int64_t done, std::int64_t) {
    if (done == 13) {
      request_stop();
    }
  };
  write_synthetic_dataset(folder / "set", few, stop_early);
  EXPECT_FALSE(std::filesystem::exists(folder / "set/ring/0000.png"));
  clear_stop_request();
  folder.write("set/circle/0001.png", "half a pic");
  EXPECT_THAT(refusal({.images_per_class = 5, .size = 20, .seed = 3}), HasSubstr("other options"));
  EXPECT_EQ(drawn(few), 40);
  expect_whole(few);
}

TEST_F(SynthFiles, OtherOptionsAreRefused) {
  write_synthetic_dataset(folder / "set", few);
  for (const SynthOptions& other : {SynthOptions{.images_per_class = 5, .size = 20, .seed = 3},
                                    SynthOptions{.images_per_class = 4, .size = 21, .seed = 3},
                                    SynthOptions{.images_per_class = 4, .size = 20, .seed = 30}}) {
    EXPECT_THAT(refusal(other), AllOf(HasSubstr((folder / "set").string()), HasSubstr("images per class 4, size 20")));
  }
  expect_whole(few);
}

TEST_F(SynthFiles, AFolderOfSomethingElseIsLeftAlone) {
  folder.write("set/circle/0000.png", "mine");
  EXPECT_THAT(refusal(few), HasSubstr("holds something else (circle)"));
  EXPECT_EQ(read_file(folder / "set/circle/0000.png"), "mine");
  EXPECT_FALSE(std::filesystem::exists(folder / "set/ring"));
}

TEST_F(SynthFiles, AFileIsNoFolder) {
  folder.write("set", "text");
  EXPECT_THAT(refusal(few), HasSubstr("is a file"));
}

TEST_F(SynthFiles, HiddenEntriesDoNotMatter) {
  folder.write("set/.gitkeep", "");
  EXPECT_EQ(drawn(few), 40);
}

TEST_F(SynthFiles, OptionsOutOfRangeAreRefused) {
  EXPECT_THROW(write_synthetic_dataset(folder / "set", {.images_per_class = 0}), ConfigError);
  EXPECT_THROW(write_synthetic_dataset(folder / "set", {.images_per_class = 100001}), ConfigError);
  EXPECT_THROW(write_synthetic_dataset(folder / "set", {.size = 15}), ConfigError);
  EXPECT_THROW(write_synthetic_dataset(folder / "set", {.size = 1025}), ConfigError);
  EXPECT_FALSE(std::filesystem::exists(folder / "set"));
}

}  // namespace
}  // namespace effnetv2
