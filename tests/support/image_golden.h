#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "effnetv2/core/rng.h"
#include "effnetv2/data/image.h"

// Pictures that scripts/make_image_golden.py computes to the same bits, and what it recorded about them.
namespace effnetv2::test {

/// Patches of 5 x 3: noise, a gradient, black and white.
inline Image formula_image(std::uint64_t seed, std::int64_t width, std::int64_t height) {
  Image image(width, height);
  Rng rng(seed);
  auto* pixel = image.pixels.data();
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t c = 0; c < 3; ++c) {
        const std::array<std::uint64_t, 4> kinds{rng.next() >> 56,
                                                 static_cast<std::uint64_t>(7 * x + 13 * y + 40 * c) % 256, 0, 255};
        *pixel++ = static_cast<std::uint8_t>(kinds[static_cast<std::size_t>((x / 5 + y / 3) % 4)]);
      }
    }
  }
  return image;
}

inline std::string from_base64(std::string_view text) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  std::uint32_t held = 0;
  int bits = 0;
  for (const char c : text.substr(0, text.find('='))) {
    const auto digit = digits.find(c);
    if (digit == std::string_view::npos) {
      throw std::runtime_error("not base64");
    }
    held = held << 6 | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes += static_cast<char>(held >> bits & 0xFF);
    }
  }
  return bytes;
}

/// FNV-1a of the pixels, hexadecimal.
inline std::string pixel_hash(const Image& image) {
  std::uint64_t state = 0xCBF29CE484222325ull;
  for (const auto byte : image.pixels) {
    state = (state ^ byte) * 0x100000001B3ull;
  }
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(state));
  return text;
}

/// tests/golden/image_<name>.json.
inline nlohmann::json read_image_golden(const std::string& name) {
  const std::string path = std::string(EFFNETV2_SOURCE_DIR) + "/tests/golden/image_" + name + ".json";
  std::ifstream file(path);
  if (!file) {
    throw std::runtime_error("cannot read " + path);
  }
  return nlohmann::json::parse(file);
}

/// Compares with the "rgb" (each byte within `tolerance`) or the "fnv" of a golden's case.
inline ::testing::AssertionResult same_pixels(const Image& image, const nlohmann::json& golden, int tolerance = 0) {
  if (golden.contains("fnv")) {
    const bool same = pixel_hash(image) == golden["fnv"].get<std::string>();
    return (same ? ::testing::AssertionSuccess() : ::testing::AssertionFailure()) << "another hash of the pixels";
  }
  const std::string expected = from_base64(golden["rgb"].get<std::string>());
  if (expected.size() != image.pixels.size()) {
    return ::testing::AssertionFailure() << image.pixels.size() << " bytes, expected " << expected.size();
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const int got = image.pixels[i], wanted = static_cast<unsigned char>(expected[i]);
    if (std::max(got - wanted, wanted - got) > tolerance) {
      return ::testing::AssertionFailure()
             << "byte " << i % 3 << " of pixel " << i / 3 << " is " << got << ", expected " << wanted;
    }
  }
  return ::testing::AssertionSuccess();
}

/// A picture of noise.
inline Image random_image(Rng& rng, std::int64_t width, std::int64_t height) {
  Image image(width, height);
  std::generate(image.pixels.begin(), image.pixels.end(), [&] { return static_cast<std::uint8_t>(rng.next()); });
  return image;
}

}  // namespace effnetv2::test
