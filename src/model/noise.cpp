#include "effnetv2/model/noise.h"

#include <cmath>

#include <ATen/ops/empty.h>

#include "effnetv2/core/rng.h"

namespace effnetv2 {
namespace {

/// float32 [count] on the CPU, two values a draw; a value is 0 with chance `rate`, to within 2^-33.
at::Tensor keep_mask(Rng rng, std::int64_t count, double rate) {
  const auto threshold = static_cast<std::uint64_t>(std::llround(rate * 0x1.0p32));
  at::Tensor mask = at::empty({count}, at::kFloat);
  auto* keep = mask.data_ptr<float>();
  for (std::int64_t i = 0; i + 1 < count; i += 2) {
    const std::uint64_t bits = rng.next();
    keep[i] = (bits >> 32) >= threshold ? 1.0f : 0.0f;
    keep[i + 1] = (bits & 0xFFFFFFFFu) >= threshold ? 1.0f : 0.0f;
  }
  if (count % 2 == 1) {
    keep[count - 1] = (rng.next() >> 32) >= threshold ? 1.0f : 0.0f;
  }
  return mask;
}

}  // namespace

at::Tensor SeededNoise::keep_rows(std::int64_t block, std::int64_t n, double rate, at::Device device) {
  const Rng rng = Rng::stream(seed_, Purpose::stochastic_depth, static_cast<std::uint64_t>(step_),
                              static_cast<std::uint64_t>(block));
  return keep_mask(rng, n, rate).to(device, /*non_blocking=*/true);
}

at::Tensor SeededNoise::keep_units(std::int64_t n, std::int64_t channels, double rate, at::Device device) {
  const Rng rng = Rng::stream(seed_, Purpose::dropout, static_cast<std::uint64_t>(step_));
  return keep_mask(rng, n * channels, rate).view({n, channels}).to(device, /*non_blocking=*/true);
}

}  // namespace effnetv2
