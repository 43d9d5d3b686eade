#include "../../../src/weights/crc32.h"

#include <string>

#include <gtest/gtest.h>

#include "effnetv2/core/rng.h"

namespace effnetv2 {
namespace {

/// Bit by bit, as the standard defines it.
std::uint32_t plain_crc32(const std::string& bytes) {
  std::uint32_t rest = 0xFFFFFFFFu;
  for (const char byte : bytes) {
    rest ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) {
      rest = (rest >> 1) ^ ((rest & 1u) != 0 ? 0xEDB88320u : 0u);
    }
  }
  return ~rest;
}

TEST(Crc32, HasTheCheckValueOfTheStandard) {
  EXPECT_EQ(crc32("123456789"), 0xCBF43926u);
  EXPECT_EQ(crc32(""), 0u);
}

TEST(Crc32, EqualsTheDefinitionAtEveryLengthInOneGoAndInTwo) {
  Rng rng(3);
  std::string bytes;
  for (int length = 0; length < 100; ++length) {
    EXPECT_EQ(crc32(bytes), plain_crc32(bytes)) << length;
    const std::size_t cut = rng.below(bytes.size() + 1);
    EXPECT_EQ(crc32(std::string_view(bytes).substr(cut), crc32(std::string_view(bytes).substr(0, cut))), crc32(bytes));
    bytes += static_cast<char>(rng.below(256));
  }
}

}  // namespace
}  // namespace effnetv2
