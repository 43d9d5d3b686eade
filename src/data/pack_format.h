#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

// A pack, version 1. All numbers are little-endian, everything begins at a multiple of 64 bytes and what is left before
// the next thing is zero:
//   header     4096 bytes
//   records    pixels, one picture after the other, in the byte order of the files' paths; nothing for a bad one
//   entries    64 bytes for each picture
//   paths      end to end, in the same order
//   text       one JSON document: what the pack was made of
// A checksum stands in the header for itself, another for all that follows the records, and one in each entry for its
// picture: there is no byte without one.
namespace effnetv2::pack {

inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::uint64_t kAlignment = 64;
inline constexpr std::size_t kHeaderBytes = 4096;
inline constexpr std::size_t kEntryBytes = 64;

constexpr std::uint64_t aligned(std::uint64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

struct Header {
  std::uint64_t file_bytes = 0;
  std::uint64_t pictures = 0;
  std::uint64_t entries_at = 0;
  std::uint64_t paths_bytes = 0;
  std::uint64_t text_bytes = 0;
  std::uint64_t index_checksum = 0;  ///< of [entries_at, file_bytes)
  std::uint64_t side = 0;            ///< of every picture; 0: they vary
  bool operator==(const Header&) const = default;

  std::uint64_t paths_at() const { return entries_at + pictures * kEntryBytes; }
  std::uint64_t text_at() const { return paths_at() + aligned(paths_bytes); }
};

struct Entry {
  std::uint64_t offset = 0;      ///< of the pixels in the file
  std::uint64_t checksum = 0;    ///< of the pixels and the zeros behind them
  std::uint64_t file_bytes = 0;  ///< of the picture's file
  std::int64_t modified = 0;     ///< likewise, nanoseconds since 1970
  std::uint64_t path_at = 0;     ///< from the beginning of the paths
  std::uint32_t path_bytes = 0;
  std::uint32_t width = 0;  ///< 0 by 0: the picture is bad
  std::uint32_t height = 0;
  bool operator==(const Entry&) const = default;

  bool bad() const { return width == 0; }
  std::uint64_t pixel_bytes() const { return std::uint64_t{3} * width * height; }
  std::uint64_t end() const { return offset + aligned(pixel_bytes()); }
};

using HeaderBytes = std::array<unsigned char, kHeaderBytes>;
using EntryBytes = std::array<unsigned char, kEntryBytes>;

HeaderBytes encode(const Header& header);
/// What is wrong, or nothing. Knows nothing of the file but its size.
std::optional<std::string> decode(std::span<const unsigned char> bytes, std::uint64_t file_bytes, Header& header);

EntryBytes encode(const Entry& entry);
/// nullopt if its checksum does not fit.
std::optional<Entry> decode_entry(std::span<const unsigned char, kEntryBytes> bytes);

}  // namespace effnetv2::pack
