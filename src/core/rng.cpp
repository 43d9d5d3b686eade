#include "effnetv2/core/rng.h"

#include <cmath>
#include <limits>
#include <numbers>

namespace effnetv2 {

static_assert(std::numeric_limits<double>::is_iec559 && std::numeric_limits<double>::digits == 53,
              "uniform() and with it every run relies on it");

std::uint64_t Rng::below(std::uint64_t n) noexcept {
  // rejects the short last interval, so every remainder is equally likely
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % n;
  std::uint64_t value = next();
  while (value >= limit) {
    value = next();
  }
  return value % n;
}

double Rng::normal() noexcept {
  const double u = 1.0 - uniform();  // (0, 1], so the logarithm is finite
  const double v = uniform();
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

}  // namespace effnetv2
