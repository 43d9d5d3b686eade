#pragma once

#include <cstdint>

namespace effnetv2 {

struct Interval {
  double low = 0.0, high = 1.0;
};

/// Wilson's score interval at 95 % for a share of `hits` in `samples` independent trials (Wilson 1927): what an
/// accuracy on so many pictures says about others like them. [0, 1] without samples.
Interval wilson_interval(double hits, std::int64_t samples);

}  // namespace effnetv2
