#include "effnetv2/core/hash.h"

#include <array>
#include <cstdio>
#include <cstring>

namespace effnetv2 {

Fingerprint& Fingerprint::add(std::string_view text) noexcept {
  add(static_cast<std::uint64_t>(text.size()));
  for (const char c : text) {
    byte(static_cast<unsigned char>(c));
  }
  return *this;
}

Fingerprint& Fingerprint::add(std::uint64_t number) noexcept {
  for (int i = 0; i < 8; ++i) {
    byte(static_cast<unsigned char>(number >> (8 * i)));
  }
  return *this;
}

std::string Fingerprint::hex() const {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(state_));
  return text;
}

std::uint64_t quick_checksum(const void* data, std::size_t bytes) noexcept {
  constexpr std::size_t kLanes = 8;
  constexpr std::uint64_t kPrime = 0x9E3779B97F4A7C15ull;
  std::array<std::uint64_t, kLanes> lanes;
  for (std::size_t i = 0; i < kLanes; ++i) {
    lanes[i] = kPrime * (i + 1);
  }
  const auto* next = static_cast<const unsigned char*>(data);
  std::size_t left = bytes;
  // independent lanes keep the multiplier busy; each step is a bijection of its lane, so no single change is lost
  for (; left >= 8 * kLanes; left -= 8 * kLanes, next += 8 * kLanes) {
    for (std::size_t i = 0; i < kLanes; ++i) {
      std::uint64_t word;
      std::memcpy(&word, next + 8 * i, 8);
      lanes[i] = (lanes[i] ^ word) * kPrime;
      lanes[i] ^= lanes[i] >> 29;
    }
  }
  Fingerprint rest;
  for (const std::uint64_t lane : lanes) {
    rest.add(lane);
  }
  rest.add(std::string_view(reinterpret_cast<const char*>(next), left)).add(static_cast<std::uint64_t>(bytes));
  return rest.value();
}

}  // namespace effnetv2
