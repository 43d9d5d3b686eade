#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "effnetv2/core/hash.h"

// Where numbers stand in a pack (src/data/pack_format.h), for tests that change them.
namespace effnetv2::test {

struct PackPlaces {
  static constexpr std::size_t kFileBytes = 16, kPictures = 24, kEntriesAt = 32, kPathsBytes = 40, kTextBytes = 48,
                               kIndexSum = 56, kSide = 64, kHeaderSum = 4088, kHeader = 4096, kEntry = 64,
                               kEntrySum = 60;
};

inline std::uint64_t number_at(const std::string& bytes, std::size_t at) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

inline void put_number(std::string& bytes, std::size_t at, std::uint64_t value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

/// The same with checksums that fit, but for those of pictures: a file made to mislead, not a damaged one.
inline std::string with_fitting_checksums(std::string bytes) {
  using P = PackPlaces;
  if (bytes.size() < P::kHeader) {
    return bytes;
  }
  const std::size_t entries_at = std::min<std::size_t>(number_at(bytes, P::kEntriesAt), bytes.size());
  const std::size_t most = (bytes.size() - entries_at) / P::kEntry;
  for (std::size_t i = 0; i < std::min<std::size_t>(number_at(bytes, P::kPictures), most); ++i) {
    const std::size_t entry = entries_at + P::kEntry * i;
    const auto sum = static_cast<std::uint32_t>(quick_checksum(bytes.data() + entry, P::kEntrySum));
    std::memcpy(bytes.data() + entry + P::kEntrySum, &sum, sizeof sum);
  }
  put_number(bytes, P::kIndexSum, quick_checksum(bytes.data() + entries_at, bytes.size() - entries_at));
  put_number(bytes, P::kHeaderSum, quick_checksum(bytes.data(), P::kHeaderSum));
  return bytes;
}

}  // namespace effnetv2::test
