#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace effnetv2 {

/// The bytes of a file, read-only. Copies share them.
class FileBytes {
 public:
  /// Memory-mapped. Throws CheckpointError if there is no such file, EnvironmentError if it cannot be read.
  explicit FileBytes(const std::filesystem::path& path);
  /// Bytes in memory that are called `name` in messages.
  FileBytes(std::string name, std::string bytes);

  const std::string& name() const noexcept { return name_; }
  std::string_view view() const noexcept { return view_; }
  /// Keeps what view() points to alive.
  const std::shared_ptr<const void>& owner() const noexcept { return owner_; }

 private:
  std::string name_;
  std::string_view view_;
  std::shared_ptr<const void> owner_;
};

}  // namespace effnetv2
