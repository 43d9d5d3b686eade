#pragma once

#include <filesystem>

namespace effnetv2 {

/// One process per run directory: an advisory flock(2) on `file`, released with the object or the process.
class FileLock {
 public:
  /// Throws EnvironmentError, naming the holder's process id if known, when another process has it.
  explicit FileLock(const std::filesystem::path& file);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_ = -1;
};

}  // namespace effnetv2
