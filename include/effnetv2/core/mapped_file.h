#pragma once

#include <cstddef>
#include <filesystem>

namespace effnetv2 {

/// A file in memory, read-only, that is read from the disk as it is touched.
class MappedFile {
 public:
  /// The first `bytes` of the open file `fd`, which may be closed afterwards. `path` is for messages. Throws FileError.
  MappedFile(int fd, std::size_t bytes, const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const unsigned char* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return bytes_; }

 private:
  const unsigned char* data_ = nullptr;
  std::size_t bytes_ = 0;
  int place_ = -1;  ///< in the table of mapped files
};

/// A mapped file that is cut short, or whose disk fails, is no exception but SIGBUS where it is touched: from now on
/// the process then names the file on stderr and ends with exit code 6.
void install_mapped_file_guard();

}  // namespace effnetv2
