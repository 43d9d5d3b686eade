#pragma once

#include <filesystem>
#include <string>

#include "effnetv2/core/error.h"

namespace effnetv2 {

/// Another process has a lock.
struct LockHeld : EnvironmentError {
  using EnvironmentError::EnvironmentError;
};

/// One process per run directory: an advisory flock(2) on `file`, released with the object or the process.
class FileLock {
 public:
  /// Throws LockHeld, naming the holder's process id if known, when another process has it, and EnvironmentError if
  /// there can be no lock.
  explicit FileLock(const std::filesystem::path& file);
  /// The same of a file of another kind: `busy` and `hint` take the place of what is said of a run directory.
  FileLock(const std::filesystem::path& file, const std::string& busy, const std::string& hint);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_ = -1;
};

}  // namespace effnetv2
