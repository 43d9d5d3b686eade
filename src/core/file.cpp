#include "effnetv2/core/file.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "effnetv2/core/error.h"
#include "effnetv2/core/text.h"

namespace effnetv2 {
namespace {

[[noreturn]] void fail(const char* action, const std::filesystem::path& path) {
  const int code = errno;
  std::string hint;
  if (code == ENOSPC || code == EDQUOT) {
    hint = "; free some space and resume the run";
  } else if (code == EACCES || code == EPERM || code == EROFS) {
    hint = "; check the permissions";
  } else if (code == EMFILE || code == ENFILE) {
    hint = "; raise the open-file limit (ulimit -n)";
  }
  throw EnvironmentError(printable(path.string()) + ": cannot " + action + ": " + std::strerror(code) + hint);
}

/// A file that is open for reading while this lives.
class OpenFile {
 public:
  /// Without waiting for the writer of a pipe.
  explicit OpenFile(const std::filesystem::path& path)
      : path_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (fd_ < 0) {
      fail("open", path_);
    }
  }
  ~OpenFile() { ::close(fd_); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  struct stat info() const {
    struct stat info {};
    if (::fstat(fd_, &info) != 0) {
      fail("stat", path_);
    }
    return info;
  }
  /// A pipe's writer that is there is waited for.
  void wait_for_bytes() const {
    const int flags = ::fcntl(fd_, F_GETFL);
    if (flags < 0 || ::fcntl(fd_, F_SETFL, flags & ~O_NONBLOCK) != 0) {
      fail("read", path_);
    }
  }
  /// At least a byte, none at the end.
  std::size_t read(char* bytes, std::size_t most) const {
    for (;;) {
      const ssize_t got = ::read(fd_, bytes, most);
      if (got >= 0) {
        return static_cast<std::size_t>(got);
      }
      if (errno != EINTR) {
        fail("read", path_);
      }
    }
  }

 private:
  const std::filesystem::path& path_;
  int fd_;
};

[[noreturn]] void too_large(const std::filesystem::path& path, std::size_t most) {
  throw EnvironmentError(printable(path.string()) + ": cannot read: it is larger than " +
                         human_bytes(static_cast<double>(most)));
}

void write_all(int fd, const void* data, std::size_t bytes, const std::filesystem::path& path) {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(fd, next, bytes);
    if (written < 0) {
      if (errno == EINTR) {
        continue;
      }
      fail("write", path);
    }
    next += written;
    bytes -= static_cast<std::size_t>(written);
  }
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace

std::string read_file(const std::filesystem::path& path, std::size_t most) {
  const OpenFile file(path);
  const struct stat info = file.info();
  if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) {
    throw EnvironmentError(printable(path.string()) + ": cannot read: it is a device, no file");
  }
  std::string text;
  if (S_ISREG(info.st_mode)) {
    const auto size = static_cast<std::size_t>(info.st_size);
    if (size > most) {
      too_large(path, most);
    }
    text.reserve(size);
  } else {
    file.wait_for_bytes();
  }
  char buffer[1 << 16];
  while (const std::size_t got = file.read(buffer, sizeof buffer)) {
    if (got > most - text.size()) {
      too_large(path, most);
    }
    text.append(buffer, got);
  }
  return text;
}

AtomicFile::AtomicFile(std::filesystem::path path)
    : path_(std::move(path)),
      temporary_(folder_of(path_) /
                 (std::string(kTemporaryPrefix) + std::to_string(::getpid()) + "-" + path_.filename().string())) {
  fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd_ < 0) {
    fail("create", temporary_);
  }
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) {
    ::close(fd_);
    ::unlink(temporary_.c_str());
  }
}

void AtomicFile::write(const void* data, std::size_t bytes) {
  write_all(fd_, data, bytes, path_);
}

void AtomicFile::commit(bool sync) {
  if (sync && ::fsync(fd_) != 0) {
    fail("sync", path_);
  }
  const int fd = std::exchange(fd_, -1);
  if (::close(fd) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int code = errno;
    ::unlink(temporary_.c_str());
    errno = code;
    fail("replace", path_);
  }
  if (sync) {
    sync_directory(folder_of(path_));
  }
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

AppendFile::AppendFile(const std::filesystem::path& path, std::int64_t keep_bytes) : path_(path) {
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd_ < 0) {
    fail("open", path);
  }
  if (keep_bytes >= 0 && size() > keep_bytes && ::ftruncate(fd_, keep_bytes) != 0) {
    const int code = errno;
    ::close(fd_);
    errno = code;
    fail("cut", path);
  }
}

AppendFile::~AppendFile() {
  ::close(fd_);
}

void AppendFile::append(std::string_view record) {
  write_all(fd_, record.data(), record.size(), path_);
}

void AppendFile::sync() {
  if (::fdatasync(fd_) != 0) {
    fail("sync", path_);
  }
}

std::int64_t AppendFile::size() const {
  struct stat info {};
  if (::fstat(fd_, &info) != 0) {
    fail("stat", path_);
  }
  return info.st_size;
}

void make_directories(const std::filesystem::path& directory) {
  std::error_code code;
  std::filesystem::create_directories(directory, code);
  if (code) {
    errno = code.value();
    fail("make the folder", directory);
  }
  sync_directory(folder_of(directory));
}

void sync_directory(const std::filesystem::path& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    fail("open", directory);
  }
  // some file systems cannot sync a folder; the rename itself still happened
  const bool failed = ::fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP;
  const int code = errno;
  ::close(fd);
  if (failed) {
    errno = code;
    fail("sync", directory);
  }
}

void remove_stale_temporaries(const std::filesystem::path& directory) {
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(directory, code)) {
    if (entry.path().filename().string().starts_with(kTemporaryPrefix)) {
      std::filesystem::remove(entry.path(), code);
    }
  }
}

}  // namespace effnetv2
