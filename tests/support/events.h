#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "effnetv2/core/crc32.h"
#include "effnetv2/core/file.h"

namespace effnetv2::test {

/// The first sizeof(T) bytes, little-endian, taken away from `bytes`.
template <typename T>
T take(std::string_view& bytes) {
  if (bytes.size() < sizeof(T)) {
    throw std::runtime_error("the bytes end within a number");
  }
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  bytes.remove_prefix(sizeof(T));
  return value;
}

inline std::string_view take(std::string_view& bytes, std::uint64_t count) {
  if (bytes.size() < count) {
    throw std::runtime_error("the bytes end within a text");
  }
  const auto text = bytes.substr(0, count);
  bytes.remove_prefix(count);
  return text;
}

inline std::uint64_t take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = take<std::uint8_t>(bytes);
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) {
      return value;
    }
  }
}

/// A field of a protobuf message: `number` holds varints and the bits of fixed ones, `text` everything with a length.
struct WireField {
  int field = 0;
  int type = 0;
  std::uint64_t number = 0;
  std::string text;

  float real32() const { return std::bit_cast<float>(static_cast<std::uint32_t>(number)); }
  double real64() const { return std::bit_cast<double>(number); }
};

inline std::vector<WireField> read_message(std::string_view bytes) {
  std::vector<WireField> fields;
  while (!bytes.empty()) {
    const auto key = take_varint(bytes);
    WireField field{static_cast<int>(key >> 3), static_cast<int>(key & 7), 0, ""};
    switch (field.type) {
      case 0:
        field.number = take_varint(bytes);
        break;
      case 1:
        field.number = take<std::uint64_t>(bytes);
        break;
      case 2:
        field.text = take(bytes, take_varint(bytes));
        break;
      case 5:
        field.number = take<std::uint32_t>(bytes);
        break;
      default:
        throw std::runtime_error("no such wire type");
    }
    fields.push_back(std::move(field));
  }
  return fields;
}

/// The field of that number, which has to be there once.
inline const WireField& only(const std::vector<WireField>& fields, int number) {
  const WireField* found = nullptr;
  for (const auto& field : fields) {
    if (field.field == number) {
      if (found != nullptr) {
        throw std::runtime_error("field " + std::to_string(number) + " is there twice");
      }
      found = &field;
    }
  }
  if (found == nullptr) {
    throw std::runtime_error("there is no field " + std::to_string(number));
  }
  return *found;
}

/// The payloads of a TFRecord file, checksums checked.
inline std::vector<std::string> read_records(std::string_view bytes) {
  const auto check = [](std::string_view of, std::uint32_t masked) {
    const std::uint32_t turned = masked - 0xA282EAD8u;
    if ((turned >> 17 | turned << 15) != crc32c(of)) {
      throw std::runtime_error("a checksum is wrong");
    }
  };
  std::vector<std::string> payloads;
  while (!bytes.empty()) {
    const auto length_bytes = bytes.substr(0, 8);
    const auto length = take<std::uint64_t>(bytes);
    check(length_bytes, take<std::uint32_t>(bytes));
    const auto payload = take(bytes, length);
    check(payload, take<std::uint32_t>(bytes));
    payloads.emplace_back(payload);
  }
  return payloads;
}

/// One value of an event file.
struct EventValue {
  double wall_time = 0.0;
  std::int64_t step = 0;
  std::string tag;
  std::vector<WireField> fields;  ///< of Summary.Value

  float scalar() const { return only(fields, 2).real32(); }
  std::vector<WireField> message(int field) const { return read_message(only(fields, field).text); }
  bool is_scalar() const {
    for (const auto& field : fields) {
      if (field.field == 2) {
        return true;
      }
    }
    return false;
  }
};

/// Every value of an event file in its order, behind the version that it begins with.
inline std::vector<EventValue> read_events(const std::filesystem::path& path) {
  const auto records = read_records(read_file(path));
  if (records.empty() || only(read_message(records[0]), 3).text != "brain.Event:2") {
    throw std::runtime_error("there is no version");
  }
  std::vector<EventValue> values;
  for (std::size_t i = 1; i < records.size(); ++i) {
    const auto event = read_message(records[i]);
    for (const auto& value : read_message(only(event, 5).text)) {
      EventValue read{only(event, 1).real64(), static_cast<std::int64_t>(only(event, 2).number), "",
                      read_message(value.text)};
      read.tag = only(read.fields, 1).text;
      values.push_back(std::move(read));
    }
  }
  return values;
}

}  // namespace effnetv2::test
