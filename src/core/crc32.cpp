#include "effnetv2/core/crc32.h"

#include <array>
#include <cstddef>
#include <cstring>

namespace effnetv2 {
namespace {

constexpr std::size_t kSlices = 16;
using Tables = std::array<std::array<std::uint32_t, 256>, kSlices>;

/// tables[k][b]: the remainder of byte b followed by k zero bytes ("slicing", Kounavis & Berry 2005).
constexpr Tables make_tables(std::uint32_t polynomial) {
  Tables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t rest = byte;
    for (int bit = 0; bit < 8; ++bit) {
      rest = (rest >> 1) ^ ((rest & 1u) != 0 ? polynomial : 0u);
    }
    tables[0][byte] = rest;
  }
  for (std::size_t k = 1; k < kSlices; ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t rest = tables[k - 1][byte];
      tables[k][byte] = (rest >> 8) ^ tables[0][rest & 0xFFu];
    }
  }
  return tables;
}

constexpr Tables kZip = make_tables(0xEDB88320u);
constexpr Tables kCastagnoli = make_tables(0x82F63B78u);

std::uint32_t crc(const Tables& tables, std::string_view bytes, std::uint32_t before) noexcept {
  std::uint32_t state = ~before;
  const char* next = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= kSlices; left -= kSlices, next += kSlices) {
    std::array<unsigned char, kSlices> block;
    std::memcpy(block.data(), next, kSlices);
    for (std::size_t i = 0; i < 4; ++i) {
      block[i] ^= static_cast<unsigned char>(state >> (8 * i));
    }
    state = 0;
    for (std::size_t i = 0; i < kSlices; ++i) {
      state ^= tables[kSlices - 1 - i][block[i]];
    }
  }
  for (; left > 0; --left, ++next) {
    state = (state >> 8) ^ tables[0][(state ^ static_cast<unsigned char>(*next)) & 0xFFu];
  }
  return ~state;
}

}  // namespace

std::uint32_t crc32(std::string_view bytes, std::uint32_t before) noexcept {
  return crc(kZip, bytes, before);
}

std::uint32_t crc32c(std::string_view bytes, std::uint32_t before) noexcept {
  return crc(kCastagnoli, bytes, before);
}

}  // namespace effnetv2
