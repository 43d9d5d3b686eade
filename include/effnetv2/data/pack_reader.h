#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "effnetv2/data/image.h"

namespace effnetv2 {

/// Prepared pictures in one memory-mapped file, found by their files' paths. Every byte is under a checksum: the index
/// is checked when the pack is opened, a picture when it is first read. Safe from several threads; nothing locks.
class PackReader {
 public:
  /// Throws DataError, which says to delete it or to pack anew, if it is damaged or no pack; EnvironmentError if it
  /// cannot be read.
  explicit PackReader(const std::filesystem::path& path);
  ~PackReader();
  PackReader(const PackReader&) = delete;
  PackReader& operator=(const PackReader&) = delete;

  const std::filesystem::path& path() const noexcept;
  /// Of the file.
  std::uint64_t bytes() const noexcept;
  std::size_t size() const noexcept;
  /// Of every picture; 0: they vary.
  std::int64_t side() const noexcept;
  /// Of the folder of pictures when it was packed, and how they were prepared.
  const std::string& root() const noexcept;
  const std::string& form() const noexcept;

  /// The picture of this file; nullopt if it has none, or the file had another size or time when it was packed. `near`:
  /// where to look first, for instance behind the last one found.
  std::optional<std::uint32_t> find(std::string_view file, std::uint64_t bytes, std::int64_t modified,
                                    std::uint32_t near = 0) const;
  /// Whether its file could not be decoded.
  bool bad(std::uint32_t picture) const;
  /// One that is not bad. Throws DataError if it is damaged or the disk fails.
  Image read(std::uint32_t picture) const;
  /// Asks the system to fetch them from the disk meanwhile.
  void will_read(std::span<const std::uint32_t> pictures) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace effnetv2
