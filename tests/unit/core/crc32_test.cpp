#include "effnetv2/core/crc32.h"

#include <string>

#include <gtest/gtest.h>

#include "effnetv2/core/rng.h"

namespace effnetv2 {
namespace {

/// Bit by bit, as the standards define it.
std::uint32_t plain_crc(const std::string& bytes, std::uint32_t polynomial) {
  std::uint32_t rest = 0xFFFFFFFFu;
  for (const char byte : bytes) {
    rest ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) {
      rest = (rest >> 1) ^ ((rest & 1u) != 0 ? polynomial : 0u);
    }
  }
  return ~rest;
}

TEST(Crc32, HasTheCheckValueOfTheStandard) {
  EXPECT_EQ(crc32("123456789"), 0xCBF43926u);
  EXPECT_EQ(crc32(""), 0u);
}

/// RFC 3720, appendix B.4.
TEST(Crc32, CastagnolisHasTheValuesOfItsRfc) {
  std::string rising, falling;
  for (int i = 0; i < 32; ++i) {
    rising += static_cast<char>(i);
    falling += static_cast<char>(31 - i);
  }
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43u);
  EXPECT_EQ(crc32c(rising), 0x46DD794Eu);
  EXPECT_EQ(crc32c(falling), 0x113FDB5Cu);
  EXPECT_EQ(crc32c(""), 0u);
}

TEST(Crc32, EqualsTheDefinitionAtEveryLengthInOneGoAndInTwo) {
  Rng rng(3);
  std::string bytes;
  for (int length = 0; length < 100; ++length) {
    EXPECT_EQ(crc32(bytes), plain_crc(bytes, 0xEDB88320u)) << length;
    EXPECT_EQ(crc32c(bytes), plain_crc(bytes, 0x82F63B78u)) << length;
    const std::size_t cut = rng.below(bytes.size() + 1);
    const auto head = std::string_view(bytes).substr(0, cut), tail = std::string_view(bytes).substr(cut);
    EXPECT_EQ(crc32(tail, crc32(head)), crc32(bytes));
    EXPECT_EQ(crc32c(tail, crc32c(head)), crc32c(bytes));
    bytes += static_cast<char>(rng.below(256));
  }
}

}  // namespace
}  // namespace effnetv2
