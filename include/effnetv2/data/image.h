#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace effnetv2 {

/// The largest image that is decoded or made: Pillow's limit before it speaks of a decompression bomb.
inline constexpr std::int64_t kMaxPixels = 178'956'970;

/// RGB, 8 bits a channel, rows top to bottom, pixels interleaved: pixels[(y * width + x) * 3 + c].
struct Image {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::vector<std::uint8_t> pixels;

  Image() = default;
  Image(std::int64_t w, std::int64_t h)
      : width(w), height(h), pixels(static_cast<std::size_t>(w) * static_cast<std::size_t>(h) * 3) {}
  bool operator==(const Image&) const = default;
};

}  // namespace effnetv2
