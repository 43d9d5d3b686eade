#include "jpeg_huffman.h"

#include <algorithm>

namespace effnetv2 {
namespace {

constexpr std::uint32_t kLargestDifference = 11, kLargestCoefficient = 10;  // in bits, for samples of 8 bits
constexpr std::uint32_t kEndSymbol = 0x00, kRunOf16 = 0xF0;

}  // namespace

HuffmanTable::HuffmanTable(const HuffmanSpec& spec, Kind kind) : spec_(spec), kind_(kind) {
  auto* to = steps_.data();
  const std::uint8_t* symbol = spec.symbols.data();
  for (std::uint32_t length = 1; length <= kLookupBits; ++length) {
    for (int i = 0; i < spec.counts[length - 1]; ++i) {
      to = std::fill_n(to, kEntries >> length, make_step(length, *symbol++));
    }
  }
  std::fill(to, steps_.data() + kEntries, 0);
  if (kind == Kind::ac) {
    make_skips();
  }
}

/// First the skips that lie in one bit, then those in two, and so on: each is a step and a skip in the bits left.
void HuffmanTable::make_skips() {
  std::array<std::uint16_t, 2 * kEntries> all;  // those in n bits begin at 2^n
  all[1] = 0;
  for (std::uint32_t bits = 1; bits <= kLookupBits; ++bits) {
    const std::size_t count = std::size_t{1} << bits;
    auto* to = all.data() + count;
    const auto* const end = to + count;
    for (std::size_t i = 0; to != end;) {
      const HuffmanStep step = steps_[i << (kLookupBits - bits)];
      const std::uint32_t code = step >> 16 & 31;
      if (code == 0 || code > bits) {
        *to++ = 0;
        ++i;
        continue;
      }
      const bool ends = advance_of(step) == kEndOfBlock;
      const auto first =
          static_cast<std::uint16_t>(length_of(step) | (ends ? kSkipEnds | 1 << 8 : advance_of(step) << 8));
      const std::size_t same = count >> code;
      i += same;
      if (ends || length_of(step) >= bits) {
        to = std::fill_n(to, same, first);
        continue;
      }
      const auto* const rest = all.data() + (count >> length_of(step));
      for (std::size_t number = 0; number < std::size_t{1} << (step >> 24); ++number) {
        to = std::transform(rest, rest + (count >> length_of(step)), to,
                            [first](std::uint16_t skip) { return static_cast<std::uint16_t>(first + skip); });
      }
    }
  }
  std::copy_n(all.begin() + kEntries, kEntries, skips_.begin());
}

HuffmanStep HuffmanTable::make_step(std::uint32_t length, std::uint32_t symbol) const {
  std::uint32_t size = symbol, advance = 1;
  if (kind_ == Kind::ac) {
    size = symbol & 15;
    advance = symbol == kEndSymbol ? kEndOfBlock : (symbol >> 4) + 1;
    if (size > kLargestCoefficient || (size == 0 && symbol != kEndSymbol && symbol != kRunOf16)) {
      return 0;
    }
  } else if (size > kLargestDifference) {
    return 0;
  }
  return (length + size) | advance << 8 | length << 16 | size << 24;
}

HuffmanStep HuffmanTable::long_step(std::uint64_t bits) const {
  std::uint32_t first = 0;  // code of the present length
  std::size_t symbol = 0;
  for (std::uint32_t length = 1; length <= 16; ++length) {
    const std::uint32_t count = spec_.counts[length - 1];
    const auto code = static_cast<std::uint32_t>(bits >> (64 - length));
    if (code < first + count) {
      return make_step(length, spec_.symbols[symbol + (code - first)]);
    }
    first = (first + count) << 1;
    symbol += count;
  }
  return 0;
}

}  // namespace effnetv2
