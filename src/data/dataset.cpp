#include "effnetv2/data/dataset.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <new>
#include <stdexcept>
#include <utility>

#include "effnetv2/core/error.h"
#include "effnetv2/core/rng.h"
#include "effnetv2/core/stop.h"
#include "effnetv2/core/text.h"
#include "effnetv2/data/decode.h"
#include "effnetv2/data/memory.h"

#include "parallel.h"
#include "prepare.h"

namespace effnetv2 {
namespace {

Rng augmentation(std::uint64_t seed, std::int64_t epoch, std::int64_t index) {
  return Rng::stream(seed, Purpose::augment, static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(index));
}

}  // namespace

struct ImageDataset::Impl {
  std::filesystem::path root;
  FileList files;
  OnBadImage on_bad_image;
  Transform transform;
  std::unique_ptr<std::atomic<bool>[]> bad;

  /// Prepared pictures: end to end in `block` where all have one size, else one by one. Complete once `cached`.
  std::unique_ptr<std::uint8_t[]> block;
  std::vector<Image> pictures;
  std::atomic<bool> cached{false};
  std::optional<FoundPack> packed;

  Impl(std::filesystem::path folder, FileList list, const DataConfig& config, Transform::Mode mode)
      : root(std::move(folder)),
        files(std::move(list)),
        on_bad_image(config.on_bad_image),
        transform(config, mode),
        bad(std::make_unique<std::atomic<bool>[]>(files.size())) {}

  std::size_t at(std::int64_t index) const {
    if (index < 0 || static_cast<std::size_t>(index) >= files.size()) {
      throw std::out_of_range("ImageDataset: picture " + std::to_string(index) + " of " + std::to_string(files.size()));
    }
    return static_cast<std::size_t>(index);
  }

  std::size_t record_bytes() const {
    const auto side = static_cast<std::size_t>(transform.image_size());
    return side * side * 3;
  }

  /// Decoded and prepared; nullopt if bad.
  std::optional<Image> prepare(std::int64_t index) const {
    auto& known_bad = bad[at(index)];
    if (known_bad) {
      return std::nullopt;
    }
    try {
      return prepare_file(root / files.path(at(index)), files.bytes(at(index)), transform);
    } catch (const ChangedImage&) {
      throw;
    } catch (const DataError& e) {
      if (on_bad_image == OnBadImage::error) {
        throw DataError(std::string(e.what()) + kBadImageHint);
      }
      known_bad = true;
      return std::nullopt;
    }
  }

  std::optional<Image> from_cache(std::int64_t index) const {
    const auto i = static_cast<std::size_t>(index);
    if (bad[i]) {
      return std::nullopt;
    }
    if (!block) {
      return pictures[i];
    }
    const std::uint8_t* record = block.get() + i * record_bytes();
    Image image;
    image.width = image.height = transform.image_size();
    image.pixels.assign(record, record + record_bytes());
    return image;
  }

  std::optional<Image> from_pack(std::int64_t index) const {
    const std::uint32_t picture = packed->pictures[at(index)];
    if (packed->pack->bad(picture)) {
      return prepare(index);  // which says why, or knows it already
    }
    return packed->pack->read(picture);
  }

  bool fill(int workers, const ProgressFn& progress) {
    const bool one_size = transform.prepared_is_final_size();
    try {
      if (one_size) {
        block = std::make_unique_for_overwrite<std::uint8_t[]>(files.size() * record_bytes());
      } else {
        pictures.resize(files.size());
      }
      return for_each_index(static_cast<std::int64_t>(files.size()), workers, progress, [&](std::int64_t index) {
        std::optional<Image> image = prepare(index);
        if (!image) {
          return;
        }
        const auto i = static_cast<std::size_t>(index);
        if (one_size) {
          std::memcpy(block.get() + i * record_bytes(), image->pixels.data(), record_bytes());
        } else {
          image->pixels.shrink_to_fit();
          pictures[i] = std::move(*image);
        }
      });
    } catch (const std::bad_alloc&) {
      throw EnvironmentError("out of memory while caching " + std::to_string(files.size()) +
                             " pictures; set data.cache to \"none\"");
    }
  }

  void drop_cache() {
    block.reset();
    pictures = {};
  }
};

ImageDataset::ImageDataset(std::filesystem::path root, FileList files, const DataConfig& config, Transform::Mode mode)
    : impl_(std::make_unique<Impl>(std::move(root), std::move(files), config, mode)) {}
ImageDataset::~ImageDataset() = default;

std::uint64_t ImageDataset::cache_bytes() const {
  if (impl_->transform.prepared_is_final_size()) {
    return impl_->files.size() * static_cast<std::uint64_t>(impl_->record_bytes());
  }
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < impl_->files.size(); ++i) {
    try {
      const ImageHeader header = read_image_header(impl_->root / impl_->files.path(i));
      bytes += static_cast<std::uint64_t>(header.width) * static_cast<std::uint64_t>(header.height) * 3;
    } catch (const DataError&) {
      // a bad file takes no room; get() tells of it
    }
  }
  return bytes;
}

bool ImageDataset::fill_cache(int workers, const ProgressFn& progress) {
  if (cached()) {
    return true;
  }
  try {
    if (impl_->fill(workers, progress)) {
      impl_->cached.store(true, std::memory_order_release);
      return true;
    }
  } catch (...) {
    impl_->drop_cache();
    throw;
  }
  impl_->drop_cache();
  return false;
}

bool ImageDataset::cached() const noexcept {
  return impl_->cached.load(std::memory_order_acquire);
}

std::vector<std::string> ImageDataset::bad_images() const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < impl_->files.size(); ++i) {
    if (impl_->bad[i]) {
      names.push_back(printable(impl_->files.path(i)));
    }
  }
  std::ranges::sort(names);
  return names;
}

std::int64_t ImageDataset::size() const noexcept {
  return static_cast<std::int64_t>(impl_->files.size());
}
std::int64_t ImageDataset::image_size() const noexcept {
  return impl_->transform.image_size();
}
std::int64_t ImageDataset::label(std::int64_t index) const {
  return impl_->files.label(impl_->at(index));
}
std::string ImageDataset::name(std::int64_t index) const {
  return std::string(impl_->files.path(impl_->at(index)));
}

std::optional<Image> ImageDataset::get(std::int64_t index, std::uint64_t seed, std::int64_t epoch) const {
  std::optional<Image> image = cached()        ? impl_->from_cache(index)
                               : impl_->packed ? impl_->from_pack(index)
                                               : impl_->prepare(index);
  if (image) {
    Rng rng = augmentation(seed, epoch, index);
    image = impl_->transform.augment(std::move(*image), rng);
  }
  return image;
}

std::span<const std::uint8_t> ImageDataset::block() const {
  if (!cached() || !impl_->block || !impl_->transform.only_mirrors()) {
    return {};
  }
  return {impl_->block.get(), impl_->files.size() * impl_->record_bytes()};
}

std::optional<bool> ImageDataset::mirrored(std::int64_t index, std::uint64_t seed, std::int64_t epoch) const {
  if (impl_->bad[impl_->at(index)]) {
    return std::nullopt;
  }
  Rng rng = augmentation(seed, epoch, index);
  return impl_->transform.mirrors(rng);
}

void ImageDataset::use_pack(FoundPack pack) {
  if (pack.pictures.size() != impl_->files.size()) {
    throw std::invalid_argument("ImageDataset: a pack of other files");
  }
  if (impl_->on_bad_image == OnBadImage::skip) {
    for (std::size_t i = 0; i < pack.pictures.size(); ++i) {
      impl_->bad[i] = pack.pack->bad(pack.pictures[i]);
    }
  }
  impl_->packed = std::move(pack);
}

const Transform& ImageDataset::transform() const noexcept {
  return impl_->transform;
}

void ImageDataset::will_get(std::span<const std::int64_t> indices) const {
  if (!impl_->packed || cached()) {
    return;
  }
  std::vector<std::uint32_t> pictures;
  pictures.reserve(indices.size());
  for (const std::int64_t index : indices) {
    pictures.push_back(impl_->packed->pictures[impl_->at(index)]);
  }
  impl_->packed->pack->will_read(pictures);
}

bool cache_fits(Cache cache, std::uint64_t bytes) {
  switch (cache) {
    case Cache::ram:
      return true;
    case Cache::automatic:
      return bytes <= available_memory() / 2;
    default:
      return false;
  }
}

}  // namespace effnetv2
