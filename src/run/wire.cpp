#include "effnetv2/run/wire.h"

#include <bit>

namespace effnetv2 {
namespace {

enum WireType { kVarint = 0, kEightBytes = 1, kDelimited = 2, kFourBytes = 5 };

}  // namespace

void WireMessage::varint(std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) {
    bytes_ += static_cast<char>(static_cast<unsigned char>(value | 0x80));
  }
  bytes_ += static_cast<char>(value);
}

void WireMessage::key(int field, int type) {
  varint(static_cast<std::uint64_t>(field) << 3 | static_cast<std::uint64_t>(type));
}

WireMessage& WireMessage::integer(int field, std::int64_t value) {
  key(field, kVarint);
  varint(static_cast<std::uint64_t>(value));
  return *this;
}

WireMessage& WireMessage::real(int field, double value) {
  key(field, kEightBytes);
  append_little_endian(bytes_, std::bit_cast<std::uint64_t>(value));
  return *this;
}

WireMessage& WireMessage::real(int field, float value) {
  key(field, kFourBytes);
  append_little_endian(bytes_, std::bit_cast<std::uint32_t>(value));
  return *this;
}

WireMessage& WireMessage::bytes(int field, std::string_view value) {
  key(field, kDelimited);
  varint(value.size());
  bytes_ += value;
  return *this;
}

WireMessage& WireMessage::reals(int field, std::span<const double> values) {
  key(field, kDelimited);
  varint(values.size() * sizeof(double));
  for (const double value : values) {
    append_little_endian(bytes_, std::bit_cast<std::uint64_t>(value));
  }
  return *this;
}

}  // namespace effnetv2
