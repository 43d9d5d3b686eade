#pragma once

#include <cstdint>

namespace effnetv2 {

/// Along one axis, the filter taps that meet the source map for one position of the result: `count` of them, the
/// first at source position `source` and filter position `tap`.
struct Taps {
  std::int64_t source;
  std::int64_t tap;
  std::int64_t count;
};

}  // namespace effnetv2
