#include "pack_format.h"

#include <algorithm>
#include <cstring>

#include "effnetv2/core/hash.h"

namespace effnetv2::pack {
namespace {

constexpr std::string_view kMagic = "EFN2PACK";

/// Puts numbers end to end, least byte first.
class Writer {
 public:
  explicit Writer(unsigned char* to) : next_(to) {}
  template <typename Number>
  Writer& add(Number number) {
    for (std::size_t i = 0; i < sizeof(Number); ++i) {
      *next_++ = static_cast<unsigned char>(static_cast<std::uint64_t>(number) >> (8 * i));
    }
    return *this;
  }

 private:
  unsigned char* next_;
};

class Reader {
 public:
  explicit Reader(const unsigned char* from) : next_(from) {}
  template <typename Number>
  Reader& get(Number& number) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(Number); ++i) {
      value |= std::uint64_t{*next_++} << (8 * i);
    }
    number = static_cast<Number>(value);
    return *this;
  }

 private:
  const unsigned char* next_;
};

}  // namespace

HeaderBytes encode(const Header& header) {
  HeaderBytes bytes{};
  std::memcpy(bytes.data(), kMagic.data(), kMagic.size());
  Writer(bytes.data() + kMagic.size())
      .add(kVersion)
      .add(static_cast<std::uint32_t>(kHeaderBytes))
      .add(header.file_bytes)
      .add(header.pictures)
      .add(header.entries_at)
      .add(header.paths_bytes)
      .add(header.text_bytes)
      .add(header.index_checksum)
      .add(header.side);
  constexpr std::size_t kSumAt = kHeaderBytes - 8;
  Writer(bytes.data() + kSumAt).add(quick_checksum(bytes.data(), kSumAt));
  return bytes;
}

std::optional<std::string> decode(std::span<const unsigned char> bytes, std::uint64_t file_bytes, Header& header) {
  if (bytes.size() < kMagic.size() || std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) {
    return "is no pack of pictures";
  }
  if (bytes.size() < kHeaderBytes) {
    return "is truncated";
  }
  std::uint32_t version = 0, header_bytes = 0;
  std::uint64_t checksum = 0;
  Reader(bytes.data() + kMagic.size())
      .get(version)
      .get(header_bytes)
      .get(header.file_bytes)
      .get(header.pictures)
      .get(header.entries_at)
      .get(header.paths_bytes)
      .get(header.text_bytes)
      .get(header.index_checksum)
      .get(header.side);
  constexpr std::size_t kSumAt = kHeaderBytes - 8;
  Reader(bytes.data() + kSumAt).get(checksum);
  if (checksum != quick_checksum(bytes.data(), kSumAt)) {
    return "is damaged: its header's checksum does not fit";
  }
  if (version != kVersion || header_bytes != kHeaderBytes) {
    return "has version " + std::to_string(version) + ", this program reads " + std::to_string(kVersion);
  }
  if (header.file_bytes != file_bytes) {
    return "is damaged: it has " + std::to_string(file_bytes) + " bytes, its header promises " +
           std::to_string(header.file_bytes);
  }
  // each below the file's size, so that no sum of them is too large for its type
  const bool bounded = header.entries_at >= kHeaderBytes && header.entries_at <= file_bytes &&
                       header.pictures <= file_bytes / kEntryBytes && header.paths_bytes <= file_bytes &&
                       header.text_bytes <= file_bytes;
  if (!bounded || header.entries_at % kAlignment != 0 || header.text_at() + aligned(header.text_bytes) != file_bytes) {
    return "is damaged: its parts do not fit together";
  }
  return std::nullopt;
}

EntryBytes encode(const Entry& entry) {
  EntryBytes bytes{};
  constexpr std::size_t kSumAt = kEntryBytes - 4;
  Writer(bytes.data())
      .add(entry.offset)
      .add(entry.checksum)
      .add(entry.file_bytes)
      .add(entry.modified)
      .add(entry.path_at)
      .add(entry.path_bytes)
      .add(entry.width)
      .add(entry.height);
  Writer(bytes.data() + kSumAt).add(static_cast<std::uint32_t>(quick_checksum(bytes.data(), kSumAt)));
  return bytes;
}

std::optional<Entry> decode_entry(std::span<const unsigned char, kEntryBytes> bytes) {
  constexpr std::size_t kSumAt = kEntryBytes - 4;
  Entry entry;
  std::uint32_t checksum = 0;
  Reader(bytes.data())
      .get(entry.offset)
      .get(entry.checksum)
      .get(entry.file_bytes)
      .get(entry.modified)
      .get(entry.path_at)
      .get(entry.path_bytes)
      .get(entry.width)
      .get(entry.height);
  Reader(bytes.data() + kSumAt).get(checksum);
  if (checksum != static_cast<std::uint32_t>(quick_checksum(bytes.data(), kSumAt))) {
    return std::nullopt;
  }
  return entry;
}

}  // namespace effnetv2::pack
