#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace effnetv2 {

/// What a random stream is for; streams of different purposes never overlap in practice.
enum class Purpose : std::uint64_t { init = 1, split, shuffle, augment, stochastic_depth, dropout, synth, test };

/// A small generator (SplitMix64, Steele, Lea & Flood 2014) whose start is a function of counters, so that any
/// draw of a run can be made again from (seed, purpose, epoch or step, index) alone: the same on every compiler,
/// for every worker count and after every interruption.
class Rng {
 public:
  explicit Rng(std::uint64_t seed) noexcept : state_(seed) {}

  /// The stream of `purpose` at counters (a, b), such as (epoch, sample) or (step, block).
  static Rng stream(std::uint64_t seed, Purpose purpose, std::uint64_t a = 0, std::uint64_t b = 0) noexcept {
    std::uint64_t key = mix(seed + kGamma);
    key = mix(key ^ (static_cast<std::uint64_t>(purpose) * 0xD1B54A32D192ED03ull));
    key = mix(key ^ (a + kGamma));
    key = mix(key ^ (b * 0x8CB92BA72F3D8DD7ull + kGamma));
    return Rng(key);
  }

  /// 64 uniform bits.
  std::uint64_t next() noexcept { return mix(state_ += kGamma); }

  /// Uniform in [0, 1), 53 bits.
  double uniform() noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  /// Uniform in [low, high).
  double uniform(double low, double high) noexcept { return low + (high - low) * uniform(); }

  /// Uniform in [0, n), unbiased; n >= 1.
  std::uint64_t below(std::uint64_t n) noexcept;

  /// Standard normal (Box-Muller, one of the pair).
  double normal() noexcept;

  /// Fisher-Yates; every order equally likely.
  template <typename T>
  void shuffle(std::span<T> values) noexcept {
    for (std::size_t i = values.size(); i > 1; --i) {
      std::swap(values[i - 1], values[below(i)]);
    }
  }

 private:
  static constexpr std::uint64_t kGamma = 0x9E3779B97F4A7C15ull;
  static std::uint64_t mix(std::uint64_t z) noexcept {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }

  std::uint64_t state_;
};

}  // namespace effnetv2
