#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace effnetv2 {

/// Bytes of a protobuf message, written field by field. Only what event files need of the wire format
/// (protobuf.dev/programming-guides/encoding); the caller knows numbers and types of the fields. Fields are written
/// even if they hold their default, so the length is a function of the fields and of the sizes of integers, texts and
/// lists, not of real numbers' values.
class WireMessage {
 public:
  /// int32, int64, bool and enum: a varint, ten bytes if negative.
  WireMessage& integer(int field, std::int64_t value);
  WireMessage& real(int field, double value);
  WireMessage& real(int field, float value);
  /// string and bytes; a string has to be UTF-8.
  WireMessage& bytes(int field, std::string_view value);
  WireMessage& message(int field, const WireMessage& value) { return bytes(field, value.bytes_); }
  /// A packed repeated double.
  WireMessage& reals(int field, std::span<const double> values);

  const std::string& str() const noexcept { return bytes_; }

 private:
  void key(int field, int type);
  void varint(std::uint64_t value);

  std::string bytes_;
};

/// The lowest sizeof(T) bytes of `value`, the least significant first.
template <typename T>
void append_little_endian(std::string& bytes, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    bytes += static_cast<char>(static_cast<unsigned char>(value >> (8 * i)));
  }
}

}  // namespace effnetv2
