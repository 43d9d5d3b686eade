#include "effnetv2/run/wire.h"

#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "effnetv2/core/rng.h"

#include "support/events.h"

namespace effnetv2 {
namespace {

using namespace std::string_literals;

/// The examples of protobuf's own description of its wire format.
TEST(WireMessage, WritesTheExamplesOfTheDescription) {
  EXPECT_EQ(WireMessage().integer(1, 150).str(), "\x08\x96\x01"s);
  EXPECT_EQ(WireMessage().bytes(2, "testing").str(), "\x12\x07testing"s);
  EXPECT_EQ(WireMessage().message(3, WireMessage().integer(1, 150)).str(), "\x1A\x03\x08\x96\x01"s);
  EXPECT_EQ(WireMessage().integer(1, -2).str(), "\x08\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"s);
}

TEST(WireMessage, WritesRealNumbersLittleEndian) {
  EXPECT_EQ(WireMessage().real(1, 1.0).str(), "\x09\0\0\0\0\0\0\xF0\x3F"s);
  EXPECT_EQ(WireMessage().real(1, 1.0f).str(), "\x0D\0\0\x80\x3F"s);
  EXPECT_EQ(WireMessage().reals(6, std::vector<double>{1.0, -2.0}).str(),
            "\x32\x10\0\0\0\0\0\0\xF0\x3F\0\0\0\0\0\0\0\xC0"s);
  EXPECT_EQ(WireMessage().reals(6, {}).str(), "\x32\0"s);
}

TEST(WireMessage, WritesDefaultsToo) {
  EXPECT_EQ(WireMessage().integer(2, 0).str(), "\x10\0"s);
  EXPECT_EQ(WireMessage().bytes(1, "").str(), "\x0A\0"s);
  EXPECT_EQ(WireMessage().real(2, 0.0f).str().size(), 5u);
}

TEST(WireMessage, ReadsBackWhateverItIsGiven) {
  Rng rng(7);
  WireMessage message;
  std::vector<test::WireField> written;
  for (int i = 0; i < 500; ++i) {
    const int field = 1 + static_cast<int>(rng.below(1 << 12));
    const auto number = static_cast<std::int64_t>(rng.next() >> rng.below(64));
    switch (rng.below(4)) {
      case 0:
        message.integer(field, i % 2 == 0 ? number : -number);
        written.push_back({field, 0, static_cast<std::uint64_t>(i % 2 == 0 ? number : -number), ""});
        break;
      case 1:
        message.real(field, std::bit_cast<double>(number));
        written.push_back({field, 1, static_cast<std::uint64_t>(number), ""});
        break;
      case 2: {
        const std::string text(rng.below(300), static_cast<char>(rng.below(256)));
        message.bytes(field, text);
        written.push_back({field, 2, 0, text});
        break;
      }
      default:
        message.real(field, static_cast<float>(i));
        written.push_back({field, 5, std::bit_cast<std::uint32_t>(static_cast<float>(i)), ""});
    }
  }
  const auto read = test::read_message(message.str());
  ASSERT_EQ(read.size(), written.size());
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].field, written[i].field);
    EXPECT_EQ(read[i].type, written[i].type);
    EXPECT_EQ(read[i].number, written[i].number);
    EXPECT_EQ(read[i].text, written[i].text);
  }
}

}  // namespace
}  // namespace effnetv2
