#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "effnetv2/core/progress.h"
#include "effnetv2/data/file_list.h"
#include "effnetv2/data/image.h"

#include "pack_format.h"

namespace effnetv2 {

/// A picture ready to be written; none: it is bad.
struct PackedPicture {
  std::uint32_t width = 0, height = 0;
  std::vector<std::uint8_t> bytes;  ///< pixels, and zeros up to the alignment
  std::uint64_t checksum = 0;

  PackedPicture();
  explicit PackedPicture(Image image);
};

/// Writes a pack picture by picture under another name, <path>.part, with the entries of what is there already in
/// <path>.journal. One process at a time.
class PackWriter {
 public:
  /// `side`: of every picture; 0: they vary. Throws EnvironmentError.
  PackWriter(std::filesystem::path path, const FileList& files, std::int64_t side);
  ~PackWriter();
  PackWriter(const PackWriter&) = delete;
  PackWriter& operator=(const PackWriter&) = delete;

  /// Keeps the pictures of an earlier process up to the first that is not whole, or is bad if `bad_too` is false, and
  /// cuts off the rest. False once stop_requested(): then nothing is cut.
  bool resume(bool bad_too, const ProgressFn& progress);
  std::size_t done() const noexcept { return done_; }
  std::int64_t bad() const noexcept { return bad_; }
  /// Bytes that the index will take.
  std::uint64_t index_bytes() const noexcept;
  /// Throws EnvironmentError if fewer than so many bytes and the index are free on the disk.
  void check_room(std::uint64_t bytes_left) const;
  /// The next pictures.
  void append(std::span<const PackedPicture> pictures);
  /// Once all are there: index, header, the disk, the name.
  void finish(const std::string& text);

 private:
  [[noreturn]] void fail(const char* action) const;
  void write(int fd, const void* data, std::size_t bytes, std::uint64_t at) const;
  pack::Entry expected(std::size_t i) const;
  bool is_whole(const pack::Entry& entry, std::vector<std::uint8_t>& buffer) const;

  std::filesystem::path path_, part_, journal_;
  const FileList& files_;
  std::int64_t side_;
  int part_fd_ = -1, journal_fd_ = -1;
  std::size_t done_ = 0;
  std::int64_t bad_ = 0;
  std::uint64_t end_ = pack::kHeaderBytes;  ///< of the last picture
  std::uint64_t path_at_ = 0;               ///< of the next one's path
  std::uint64_t index_bytes_ = 0;
};

}  // namespace effnetv2
