#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "jpeg_frame.h"

namespace effnetv2 {

/// Bits from memory that may be read eight bytes beyond what is asked for.
struct BitReader {
  const std::uint8_t* next = nullptr;
  std::uint64_t bits = 0;   ///< the next ones, from the top
  std::uint32_t count = 0;  ///< how many of them are counted as taken from `next`

  /// At least 56 bits afterwards.
  void refill() {
    std::uint64_t word = 0;
    std::memcpy(&word, next, sizeof word);
    if constexpr (std::endian::native == std::endian::little) {
      word = __builtin_bswap64(word);
    }
    bits |= word >> count;
    next += (63 - count) >> 3;
    count |= 56;
  }
  void skip(std::uint32_t n) {
    bits <<= n;
    count -= n;
  }
  /// Bits read since `begin`.
  std::int64_t position(const std::uint8_t* begin) const { return (next - begin) * 8 - count; }
};

/// A symbol and what it says of the bits behind its code: how many there are of code and number together (6 bits), how
/// far it moves on in the zigzag (8 bits from bit 8), how many of the code (from bit 16) and of the number (from bit
/// 24). 0: no such code.
using HuffmanStep = std::uint32_t;

constexpr std::uint32_t length_of(HuffmanStep step) {
  return step & 63;
}
constexpr std::uint32_t advance_of(HuffmanStep step) {
  return step >> 8 & 255;
}
/// The number behind the code at the top of `bits`: T.81 F.2.2.1, the upper half of so many bits is positive.
inline std::int16_t value_of(HuffmanStep step, std::uint64_t bits) {
  const std::uint32_t size = step >> 24;
  const std::uint64_t number = bits << (step >> 16 & 31);
  const auto below = ~(static_cast<std::int64_t>(number) >> 63);  // all ones if it is negative
  return static_cast<std::int16_t>(static_cast<std::int64_t>(number >> 1 >> (63 - size)) +
                                   (below & (1 - (std::int64_t{1} << size))));
}

/// The end of a block moves beyond any place in it.
constexpr std::uint32_t kEndOfBlock = 128;
/// Steps are at most this long: a code of 16 bits and a difference of 11.
constexpr std::int64_t kLongestStep = 27;

/// Decodes a Huffman code, most of it by looking up the next bits.
class HuffmanTable {
 public:
  enum class Kind { dc, ac };
  HuffmanTable(const HuffmanSpec& spec, Kind kind);

  /// The step at the top of `bits`, which holds at least kLongestStep.
  HuffmanStep step(std::uint64_t bits) const {
    const HuffmanStep found = steps_[bits >> (64 - kLookupBits)];
    return found != 0 ? found : long_step(bits);
  }

  /// Several steps at once, numbers left aside: their length (6 bits), whether the last ends the block (bit 6) and how
  /// far they move, the end counted as one (from bit 8). 0: take a step(). Not for Kind::dc.
  std::uint32_t skip(std::uint64_t bits) const { return skips_[bits >> (64 - kLookupBits)]; }
  static constexpr std::uint32_t kSkipEnds = 64;

 private:
  HuffmanStep make_step(std::uint32_t length, std::uint32_t symbol) const;
  HuffmanStep long_step(std::uint64_t bits) const;
  void make_skips();

  static constexpr std::uint32_t kLookupBits = 11;
  static constexpr std::size_t kEntries = std::size_t{1} << kLookupBits;
  std::array<HuffmanStep, kEntries> steps_;
  std::array<std::uint16_t, kEntries> skips_;
  HuffmanSpec spec_;
  Kind kind_;
};

}  // namespace effnetv2
