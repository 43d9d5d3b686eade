#include "effnetv2/core/hash.h"

#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace effnetv2 {
namespace {

TEST(Fingerprint, OfNothingIsTheOffsetOfFnv1a) {
  EXPECT_EQ(Fingerprint().hex(), "cbf29ce484222325");
}

TEST(Fingerprint, OfANumberIsFnv1aOfItsEightBytes) {
  std::uint64_t expected = 0xCBF29CE484222325ULL;
  for (const unsigned char byte : {0x61, 0, 0, 0, 0, 0, 0, 0}) {
    expected = (expected ^ byte) * 0x100000001B3ULL;
  }
  EXPECT_EQ(Fingerprint().add(std::uint64_t{0x61}).value(), expected);
}

TEST(Fingerprint, PartsAreDelimited) {
  EXPECT_NE(Fingerprint().add("ab").add("c").hex(), Fingerprint().add("a").add("bc").hex());
  EXPECT_NE(Fingerprint().add("").hex(), Fingerprint().hex());
  EXPECT_NE(Fingerprint().add("a").add("b").hex(), Fingerprint().add("b").add("a").hex());
  EXPECT_EQ(Fingerprint().add("a").add("b").hex(), Fingerprint().add("a").add("b").hex());
}

TEST(Fingerprint, NeverChanges) {
  EXPECT_EQ(Fingerprint().add("cat/1.jpg").add(std::uint64_t{10158}).hex(), "21babef943538ce6");
}

TEST(QuickChecksum, EverySingleChangedByteChangesIt) {
  std::vector<unsigned char> bytes(200);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<unsigned char>(i * 37);
  }
  std::set<std::uint64_t> seen{quick_checksum(bytes.data(), bytes.size())};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const unsigned char flip : {0x01, 0x80, 0xFF}) {
      bytes[i] ^= flip;
      EXPECT_TRUE(seen.insert(quick_checksum(bytes.data(), bytes.size())).second) << "byte " << i;
      bytes[i] ^= flip;
    }
  }
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_TRUE(seen.insert(quick_checksum(bytes.data(), length)).second) << "length " << length;
  }
}

}  // namespace
}  // namespace effnetv2
