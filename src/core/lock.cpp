#include "effnetv2/core/lock.h"

#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "effnetv2/core/error.h"

namespace effnetv2 {
namespace {

/// Whether `fd` is what the name stands for: the last holder may have removed the file just before it was locked, and
/// a third process would lock a new one.
bool has_name(int fd, const std::filesystem::path& file) {
  struct stat locked = {};
  struct stat named = {};
  return ::fstat(fd, &locked) == 0 && ::stat(file.c_str(), &named) == 0 && locked.st_dev == named.st_dev &&
         locked.st_ino == named.st_ino;
}

}  // namespace

FileLock::FileLock(const std::filesystem::path& file)
    : FileLock(file, file.parent_path().string() + ": the run directory is in use by another process",
               "wait for it, stop it, or use another --run-dir") {}

FileLock::FileLock(const std::filesystem::path& file, const std::string& busy, const std::string& hint) {
  // a file system may tell the two apart for ever
  for (int attempts_left = 100;; --attempts_left) {
    fd_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd_ < 0) {
      throw EnvironmentError(file.string() + ": cannot open: " + std::strerror(errno));
    }
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      const int code = errno;
      char holder[32] = {};
      const ssize_t got = ::read(fd_, holder, sizeof holder - 1);
      ::close(fd_);
      fd_ = -1;
      if (code != EWOULDBLOCK) {
        throw EnvironmentError(file.string() + ": cannot lock: " + std::strerror(code));
      }
      throw LockHeld(busy + (got > 0 ? " (" + std::string(holder, static_cast<std::size_t>(got)) + ")" : "") + "; " +
                     hint);
    }
    if (has_name(fd_, file) || attempts_left == 0) {
      break;
    }
    ::close(fd_);
  }
  const std::string id = "process " + std::to_string(::getpid());
  // who holds it is a courtesy to the next one; the lock itself is the kernel's
  if (::ftruncate(fd_, 0) != 0 || ::write(fd_, id.data(), id.size()) < 0) {
    return;
  }
}

FileLock::~FileLock() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

}  // namespace effnetv2
