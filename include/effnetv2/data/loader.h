#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "effnetv2/data/dataset.h"

namespace effnetv2 {

/// Consecutive pictures of one shuffled (or plain) pass.
struct Batch {
  std::int64_t number = 0;  ///< position in the epoch, counted from 0
  std::int64_t size = 0;    ///< pictures, bad ones left out; may be 0
  std::int64_t image_size = 0;
  std::vector<std::uint8_t> pixels;   ///< [size, image_size, image_size, 3]
  std::vector<std::int64_t> labels;   ///< [size]
  std::vector<std::int64_t> indices;  ///< [size], into the data set
  // where the pictures are taken from a block that lies elsewhere: no pixels, but
  const Dataset* held = nullptr;       ///< whose block()
  std::vector<std::uint8_t> mirrored;  ///< [size], 1: mirrored
};

struct LoaderOptions {
  std::int64_t batch_size = 1;  ///< >= 1
  bool shuffle = false;
  bool drop_last = false;  ///< leave out the last batch if it is short
  int workers = 0;         ///< threads, >= 0; 0: work is done in next()
  std::uint64_t seed = 0;  ///< of shuffle and augmentation
  bool held = false;       ///< batches name pictures of the data set's block() and have no pixels
};

/// Batches in a pass over `images`; 0 if drop_last leaves none.
std::int64_t batches_per_epoch(std::int64_t images, std::int64_t batch_size, bool drop_last);

/// Batches of a data set in an order that is a function of (seed, epoch), the same for any worker count. Workers live
/// as long as the loader and hold at most 2 * workers finished batches. Used from one thread at a time.
class Loader {
 public:
  /// Throws std::invalid_argument for options out of range, EnvironmentError if the threads cannot be started.
  Loader(std::shared_ptr<const Dataset> dataset, LoaderOptions options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// Batches in an epoch.
  std::int64_t batches() const noexcept;
  const Dataset& dataset() const noexcept;
  /// Begins `epoch` at batch `first` (0 <= first <= batches()) without reading the batches before it; any pass under
  /// way is abandoned cleanly.
  void start(std::int64_t epoch, std::int64_t first = 0);
  /// The next batch; nullopt at the end and before start(). What the data set threw (it names the file) is thrown
  /// here, at the batch it belongs to, and again at each further call until the next start().
  std::optional<Batch> next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace effnetv2
