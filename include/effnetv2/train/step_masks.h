#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "effnetv2/model/architecture.h"
#include "effnetv2/model/noise.h"

namespace effnetv2 {

/// The masks that SeededNoise draws, in one buffer on the device that is filled before each step: for steps that are
/// recorded and repeated.
class StepMasks final : public Noise {
 public:
  /// For batches of `n` pictures of such a network.
  StepMasks(const Architecture& architecture, std::int64_t n, at::Device device);

  /// Fills them with those of SeededNoise(seed, step), without waiting for a card.
  void draw(std::uint64_t seed, std::int64_t step);

  /// Aliases of the buffer, whatever was drawn. n and rate must be those of the network.
  at::Tensor keep_rows(std::int64_t block, std::int64_t n, double rate, at::Device device) override;
  at::Tensor keep_units(std::int64_t n, std::int64_t channels, double rate, at::Device device) override;

 private:
  struct Rows {
    std::int64_t block;
    double rate;
    std::int64_t offset;
  };
  std::int64_t n_, channels_, units_offset_ = 0;
  double dropout_;
  std::vector<Rows> rows_;
  at::Tensor masks_;  ///< float32, all of them
};

}  // namespace effnetv2
