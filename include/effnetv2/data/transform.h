#pragma once

#include <string>

#include "effnetv2/config/data_config.h"
#include "effnetv2/core/rng.h"
#include "effnetv2/data/image.h"
#include "effnetv2/data/jpeg.h"

namespace effnetv2 {

/// From a decoded picture to the network's input size, in two halves: prepare() is the same at every visit and may
/// be cached; augment() draws from `rng`. Normalisation happens on the device, on the whole batch.
class Transform {
 public:
  enum class Mode { train, eval };
  Transform(const DataConfig& config, Mode mode);

  /// For decode_image: at how many eighths of its size a JPEG may be decoded so that resizing still only makes it
  /// smaller. Empty unless data.decode is "fast".
  Reduction reduction() const;
  /// Resized and cropped; with random resized crop in train mode the picture as decoded.
  Image prepare(Image decoded) const;
  /// Always image_size x image_size; in eval mode `prepared` itself.
  Image augment(Image prepared, Rng& rng) const;
  /// Whether augment() shows `prepared` as it is or mirrored and does nothing else; and which of both, by its draw of
  /// `rng`.
  bool only_mirrors() const;
  bool mirrors(Rng& rng) const;
  /// True if prepare() always gives image_size x image_size (what a cache of fixed-size records needs).
  bool prepared_is_final_size() const;
  std::int64_t image_size() const;
  /// Everything that decides what prepare() makes of a file, as text: equal texts, equal pictures.
  std::string form() const;

 private:
  /// Below which a picture is not reduced when it is decoded: of its shorter side, and for squash of each.
  double least_side() const;

  DataConfig config_;
  Mode mode_;
};

}  // namespace effnetv2
