#include "effnetv2/core/interval.h"

#include <cmath>

namespace effnetv2 {

Interval wilson_interval(double hits, std::int64_t samples) {
  if (samples <= 0) {
    return {};
  }
  constexpr double z = 1.959963984540054;  // normal quantile of 0.975
  const auto n = static_cast<double>(samples);
  const double share = hits / n;
  const double middle = share + z * z / (2.0 * n);
  const double half = z * std::sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n));
  const double scale = 1.0 + z * z / n;
  // rounding must not leave the share itself outside
  return {hits <= 0.0 ? 0.0 : (middle - half) / scale, hits >= n ? 1.0 : (middle + half) / scale};
}

}  // namespace effnetv2
