#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "effnetv2/core/rng.h"
#include "effnetv2/data/dataset.h"

namespace effnetv2::test {

/// Pictures made of numbers: each class has its own mean colour, each picture its own noise. Augmentation adds noise
/// that is a function of (seed, epoch, index), as a real data set's would be.
class FakeDataset : public Dataset {
 public:
  FakeDataset(std::int64_t size, std::int64_t classes, std::int64_t image_size, bool augmented)
      : size_(size), classes_(classes), image_size_(image_size), augmented_(augmented) {}

  std::int64_t size() const noexcept override { return size_; }
  std::int64_t image_size() const noexcept override { return image_size_; }
  std::int64_t label(std::int64_t index) const override { return index % classes_; }
  std::string name(std::int64_t index) const override { return "picture-" + std::to_string(index); }

  std::optional<Image> get(std::int64_t index, std::uint64_t seed, std::int64_t epoch) const override {
    Image image(image_size_, image_size_);
    Rng own = Rng::stream(7, Purpose::test, static_cast<std::uint64_t>(index));
    Rng visit =
        Rng::stream(seed, Purpose::augment, static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(index));
    for (auto& pixel : image.pixels) {
      const auto base = 40 + 160 * label(index) / classes_;
      const auto noise = own.below(40) + (augmented_ ? visit.below(16) : 0);
      pixel = static_cast<std::uint8_t>(static_cast<std::uint64_t>(base) + noise);
    }
    return image;
  }

 private:
  std::int64_t size_, classes_, image_size_;
  bool augmented_;
};

}  // namespace effnetv2::test
