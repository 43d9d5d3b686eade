#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "effnetv2/config/data_config.h"
#include "effnetv2/core/progress.h"
#include "effnetv2/data/image.h"
#include "effnetv2/data/listing.h"
#include "effnetv2/data/pack_store.h"
#include "effnetv2/data/transform.h"

namespace effnetv2 {

/// Index -> picture at the network's size. All methods are const and safe from several threads; randomness is a
/// function of (seed, epoch, index).
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual std::int64_t size() const noexcept = 0;
  virtual std::int64_t image_size() const noexcept = 0;
  virtual std::int64_t label(std::int64_t index) const = 0;
  /// A file name for messages and reports.
  virtual std::string name(std::int64_t index) const = 0;
  /// uint8 RGB of image_size x image_size; nullopt if the picture is bad and on_bad_image is skip. Throws DataError
  /// with the file's name if it is bad otherwise.
  virtual std::optional<Image> get(std::int64_t index, std::uint64_t seed, std::int64_t epoch) const = 0;
  /// Prepared pictures end to end, [size(), image_size(), image_size(), 3], if all of them are in RAM and get() gives
  /// them as they lie there or mirrored; else empty. Those that get() gives none of are anything.
  virtual std::span<const std::uint8_t> block() const { return {}; }
  /// With a block(): whether get() would give the picture mirrored; nullopt if it would give none.
  virtual std::optional<bool> mirrored(std::int64_t index, std::uint64_t seed, std::int64_t epoch) const {
    static_cast<void>(index), static_cast<void>(seed), static_cast<void>(epoch);
    return std::nullopt;
  }
  /// Told of the pictures that will be asked for next, so that they can be fetched meanwhile.
  virtual void will_get(std::span<const std::int64_t> indices) const { static_cast<void>(indices); }
};

/// A data set of image files with an optional cache of prepared pictures, in RAM or on disk. With and without it the
/// pictures are the same.
class ImageDataset final : public Dataset {
 public:
  /// The paths of `files` are relative to `root`.
  ImageDataset(std::filesystem::path root, FileList files, const DataConfig& config, Transform::Mode mode);
  ~ImageDataset() override;

  /// Bytes of the pixels that a full RAM cache holds: exact where every record has the network's size, from the
  /// files' headers otherwise (a bad file counts as nothing).
  std::uint64_t cache_bytes() const;
  /// Decodes everything with `workers` threads (at least one) into RAM; a second call does nothing. `progress` is
  /// called on the calling thread. False, with nothing cached, once stop_requested(). Throws, with nothing cached,
  /// DataError for the first bad picture (on_bad_image: error) and EnvironmentError if memory runs out.
  bool fill_cache(int workers, const ProgressFn& progress = {});
  /// True once fill_cache has finished; get() reads no file and takes no lock from then on.
  bool cached() const noexcept;
  /// Takes prepared pictures from a pack in which PackStore::find has found these files, in their order, for this
  /// transform. Before the first get().
  void use_pack(FoundPack pack);
  const Transform& transform() const noexcept;

  /// Names of the bad pictures met so far (on_bad_image: skip), each once, sorted, printable.
  std::vector<std::string> bad_images() const;

  std::int64_t size() const noexcept override;
  std::int64_t image_size() const noexcept override;
  std::int64_t label(std::int64_t index) const override;
  std::string name(std::int64_t index) const override;
  std::optional<Image> get(std::int64_t index, std::uint64_t seed, std::int64_t epoch) const override;
  std::span<const std::uint8_t> block() const override;
  std::optional<bool> mirrored(std::int64_t index, std::uint64_t seed, std::int64_t epoch) const override;
  void will_get(std::span<const std::int64_t> indices) const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Whether `bytes` of cache go into RAM: cache ram: always; automatic: within half of the memory that is free now
/// (cgroup limits counted); disk and none: never.
bool cache_fits(Cache cache, std::uint64_t bytes);

}  // namespace effnetv2
