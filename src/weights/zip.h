#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace effnetv2 {

/// One file inside an archive; the bytes lie in the archive's own.
struct ZipEntry {
  std::string name;
  std::string_view bytes;
  std::uint32_t crc = 0;  ///< what the archive says; see crc32.h
  bool stored = true;     ///< as it is, as PyTorch does; else compressed or encrypted, and of no use here

  bool is_whole() const noexcept;  ///< the bytes have that checksum
};

/// The entries of a zip archive (APPNOTE.TXT 6.3, ZIP64 too). Throws Defect for a central directory that does not fit
/// the file and for entries that overlap, lie outside the file or share a name. Allocates no more than the directory's
/// own size.
std::vector<ZipEntry> read_zip(std::string_view file);

/// Writes such an archive: each entry's bytes begin at a multiple of 64, no time and no attributes, so that equal
/// entries give equal files. ZIP64 where sizes ask for it.
class ZipWriter {
 public:
  using Sink = std::function<void(std::string_view)>;

  /// `sink` takes the archive's bytes in order.
  explicit ZipWriter(Sink sink) : sink_(std::move(sink)) {}

  void add(const std::string& name, std::string_view bytes);
  /// Writes the directory; nothing can be added afterwards.
  void finish();

 private:
  struct Written {
    std::string name;
    std::uint64_t offset = 0, size = 0;
    std::uint32_t crc = 0;
  };
  void write(std::string_view bytes);

  Sink sink_;
  std::uint64_t offset_ = 0;
  std::vector<Written> entries_;
};

}  // namespace effnetv2
