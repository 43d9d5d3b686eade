#pragma once

#include <cstdint>
#include <memory>

#include <ATen/core/Tensor.h>

namespace effnetv2 {

/// Where the network takes its training-time randomness from: an argument of forward, never global state.
class Noise {
 public:
  virtual ~Noise() = default;
  /// float32 [n] on `device`: 1 for a kept sample, 0 for a dropped one, each dropped with chance `rate`.
  virtual at::Tensor keep_rows(std::int64_t block, std::int64_t n, double rate, at::Device device) = 0;
  /// float32 [n, channels] on `device`: 1 for a kept activation, 0 for a dropped one.
  virtual at::Tensor keep_units(std::int64_t n, std::int64_t channels, double rate, at::Device device) = 0;
};

/// The masks of one forward pass as a function of (seed, step) alone.
class SeededNoise final : public Noise {
 public:
  SeededNoise(std::uint64_t seed, std::int64_t step) : seed_(seed), step_(step) {}
  at::Tensor keep_rows(std::int64_t block, std::int64_t n, double rate, at::Device device) override;
  at::Tensor keep_units(std::int64_t n, std::int64_t channels, double rate, at::Device device) override;

 private:
  std::uint64_t seed_;
  std::int64_t step_;
};

}  // namespace effnetv2
