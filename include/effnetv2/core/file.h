#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>

namespace effnetv2 {

/// The whole file. Throws FileError with the path and the system's reason, also for a device, which may have no
/// end, and for what holds more than `most` bytes, of which no more is read. A pipe, such as <(...) in a shell, is read
/// until its writers have closed it; one that nobody writes to is empty.
std::string read_file(const std::filesystem::path& path, std::size_t most = std::numeric_limits<std::size_t>::max());

/// A file that appears whole or not at all: written under a temporary name in the same folder, then commit()
/// syncs it, renames it over `path` and syncs the folder. Without commit() the destructor removes the temporary, and of
/// a process that was killed the next AtomicFile of the same path does. Errors (disk full, permission) are FileError;
/// the old file is then untouched.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, std::size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  /// sync: to the disk before the new name; without, a power cut soon after can leave an empty file.
  void commit(bool sync = true);

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  std::string buffer_;  ///< what is not worth a write of its own yet
  int fd_ = -1;
};

/// AtomicFile in one call.
void write_file(const std::filesystem::path& path, std::string_view text);

/// A stream of whole lines or records: each append is one write(2) at the end of the file.
class AppendFile {
 public:
  /// Opens or creates `path`; if `keep_bytes` >= 0, first cuts the file to that length (never grows it).
  explicit AppendFile(const std::filesystem::path& path, std::int64_t keep_bytes = -1);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  void append(std::string_view record);
  /// Flushes to the disk (fdatasync).
  void sync();
  std::int64_t size() const;

 private:
  std::filesystem::path path_;
  int fd_ = -1;
};

/// Makes `directory` with its parents, durably.
void make_directories(const std::filesystem::path& directory);

/// Makes renames and new names in `directory` durable.
void sync_directory(const std::filesystem::path& directory);

/// What the name of every temporary file of ours begins with.
inline constexpr std::string_view kTemporaryPrefix = ".tmp-";

/// Removes temporaries that killed processes left in `directory`, those of the file `name` there or of all.
void remove_stale_temporaries(const std::filesystem::path& directory, std::string_view name = {});

}  // namespace effnetv2
