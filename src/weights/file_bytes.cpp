#include "effnetv2/weights/file_bytes.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "effnetv2/core/error.h"

namespace effnetv2 {

FileBytes::FileBytes(const std::filesystem::path& path) : name_(path.string()) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    const int code = errno;
    const std::string message = name_ + ": cannot open: " + std::strerror(code);
    if (code == ENOENT || code == ENOTDIR) {
      throw CheckpointError(message);
    }
    throw EnvironmentError(message);
  }
  struct stat info {};
  const bool known = ::fstat(fd, &info) == 0;
  if (!known || !S_ISREG(info.st_mode)) {
    ::close(fd);
    throw CheckpointError(name_ + ": is no file, but a folder or a device");
  }
  const auto size = static_cast<std::size_t>(info.st_size);
  void* data = size == 0 ? nullptr : ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  const int code = errno;
  ::close(fd);
  if (data == MAP_FAILED) {
    throw EnvironmentError(name_ + ": cannot map " + std::to_string(size) + " bytes: " + std::strerror(code));
  }
  if (data != nullptr) {
    owner_ = std::shared_ptr<const void>(data, [size](const void* p) { ::munmap(const_cast<void*>(p), size); });
    view_ = {static_cast<const char*>(data), size};
  }
}

FileBytes::FileBytes(std::string name, std::string bytes) : name_(std::move(name)) {
  auto held = std::make_shared<const std::string>(std::move(bytes));
  view_ = *held;
  owner_ = std::move(held);
}

}  // namespace effnetv2
