#include "effnetv2/weights/file_bytes.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "effnetv2/core/error.h"
#include "effnetv2/core/mapped_file.h"

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
  std::shared_ptr<const MappedFile> file;
  try {
    file = std::make_shared<const MappedFile>(fd, size, path);
  } catch (...) {
    ::close(fd);
    throw;
  }
  ::close(fd);
  view_ = {reinterpret_cast<const char*>(file->data()), size};
  owner_ = std::move(file);
}

FileBytes::FileBytes(std::string name, std::string bytes) : name_(std::move(name)) {
  auto held = std::make_shared<const std::string>(std::move(bytes));
  view_ = *held;
  owner_ = std::move(held);
}

}  // namespace effnetv2
