#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "effnetv2/core/file.h"

namespace effnetv2 {

/// `payload` as a record of a TFRecord file: its length as 8 bytes, their masked CRC-32C, the payload, its masked
/// CRC-32C, all little-endian (tensorflow/core/lib/io/record_writer.h).
std::string frame_record(std::string_view payload);

/// A TFRecord file that grows by whole records and knows the checksum of all its bytes.
class EventFile {
 public:
  /// How much there was, and what.
  struct Position {
    std::int64_t bytes = 0;
    std::uint32_t crc = 0;  ///< CRC-32C of these bytes
    bool operator==(const Position&) const = default;
  };

  /// Whether the first keep.bytes of `path` are there as they were written.
  static bool holds(const std::filesystem::path& path, const Position& keep);
  /// Goes on after `keep`, which the file has to hold; what stands behind it is cut off. {}: an empty file.
  EventFile(const std::filesystem::path& path, const Position& keep);

  /// Appends `records`, which are whole, in one write.
  void append(std::string_view records);
  /// Flushes to the disk.
  Position sync();

 private:
  AppendFile file_;
  Position position_;
};

}  // namespace effnetv2
