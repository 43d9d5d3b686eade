#include "effnetv2/core/file.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
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
  } else if (code == EFBIG) {
    hint = "; raise the limit on the size of files (ulimit -f)";
  } else if (code == EACCES || code == EPERM || code == EROFS) {
    hint = "; check the permissions";
  } else if (code == EMFILE || code == ENFILE) {
    hint = "; raise the open-file limit (ulimit -n)";
  }
  throw FileError(printable(path.string()) + ": cannot " + action + ": " + std::strerror(code) + hint, code);
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
  throw FileError(
      printable(path.string()) + ": cannot read: it is larger than " + human_bytes(static_cast<double>(most)), EFBIG);
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

std::filesystem::path new_temporary(const std::filesystem::path& path) {
  static std::atomic<unsigned> count{0};
  return folder_of(path) / (std::string(kTemporaryPrefix) + std::to_string(::getpid()) + "-" + std::to_string(count++) +
                            "-" + path.filename().string());
}

/// Whoever writes a temporary has its lock, which a killed process loses: what can be locked is nobody's.
bool lock_file(int fd) {
  return ::flock(fd, LOCK_EX | LOCK_NB) == 0;
}

/// False if another process took it for abandoned before it was locked, and has removed it or is about to. A file
/// system without locks leaves temporaries be.
bool claim(int fd) {
  struct stat info {};
  return lock_file(fd) ? ::fstat(fd, &info) == 0 && info.st_nlink > 0 : errno != EWOULDBLOCK;
}

}  // namespace

std::string read_file(const std::filesystem::path& path, std::size_t most) {
  const OpenFile file(path);
  const struct stat info = file.info();
  if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) {
    throw FileError(printable(path.string()) + ": cannot read: it is a device, no file", ENODEV);
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

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  remove_stale_temporaries(folder_of(path_), path_.filename().string());
  for (;;) {
    temporary_ = new_temporary(path_);
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd_ < 0) {
      fail("create", temporary_);
    }
    if (claim(fd_)) {
      break;
    }
    ::close(fd_);
  }
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) {
    ::close(fd_);
    ::unlink(temporary_.c_str());
  }
}

void AtomicFile::write(const void* data, std::size_t bytes) {
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  if (buffer_.size() + bytes < kPiece) {
    buffer_.append(static_cast<const char*>(data), bytes);
    return;
  }
  write_all(fd_, buffer_.data(), buffer_.size(), path_);
  buffer_.clear();
  write_all(fd_, data, bytes, path_);
}

void AtomicFile::commit(bool sync) {
  write_all(fd_, buffer_.data(), buffer_.size(), path_);
  if (sync && ::fsync(fd_) != 0) {
    fail("sync", path_);
  }
  // closed, it would be nobody's before it has its name; if this throws the destructor removes it
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    fail("replace", path_);
  }
  ::close(std::exchange(fd_, -1));
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
  // does not wait for whoever might read a pipe
  constexpr int kFlags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK;
  fd_ = ::open(path.c_str(), kFlags);
  const bool is_new = fd_ < 0 && errno == ENOENT;
  if (is_new) {
    fd_ = ::open(path.c_str(), kFlags | O_CREAT, 0666);
  }
  if (fd_ < 0) {
    fail("open", path);
  }
  if (is_new) {
    sync_directory(folder_of(path));  // what is synced later shall have a name
  }
  const auto give_up = [&](const char* what, int code) {
    ::close(fd_);
    errno = code;
    fail(what, path);
  };
  struct stat info {};
  if (::fstat(fd_, &info) != 0 || S_ISFIFO(info.st_mode)) {
    give_up("keep lines in a pipe", EINVAL);
  }
  if (keep_bytes >= 0 && info.st_size > keep_bytes && ::ftruncate(fd_, keep_bytes) != 0) {
    give_up("cut", errno);
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
  std::vector<std::filesystem::path> parents{folder_of(directory)};
  while (!std::filesystem::exists(parents.back(), code) && parents.back() != folder_of(parents.back())) {
    parents.push_back(folder_of(parents.back()));
  }
  std::filesystem::create_directories(directory, code);
  if (code) {
    errno = code.value();
    fail("make the folder", directory);
  }
  for (const auto& parent : parents) {
    sync_directory(parent);
  }
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

void remove_stale_temporaries(const std::filesystem::path& directory, std::string_view name) {
  std::error_code code;
  const std::string ending = name.empty() ? "" : "-" + std::string(name);
  for (const auto& entry : std::filesystem::directory_iterator(directory, code)) {
    const std::string file = entry.path().filename().string();
    if (!file.starts_with(kTemporaryPrefix) || !file.ends_with(ending)) {
      continue;
    }
    const int fd = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd >= 0 && lock_file(fd)) {
      std::filesystem::remove(entry.path(), code);
    }
    if (fd >= 0) {
      ::close(fd);
    }
  }
}

}  // namespace effnetv2
