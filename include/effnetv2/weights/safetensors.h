#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "effnetv2/weights/file_bytes.h"

namespace effnetv2 {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;
using Metadata = std::map<std::string, std::string>;

/// A .safetensors file, memory-mapped. Dtypes: F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL; rank 0 and empty
/// tensors too. The constructor checks the whole header (size, JSON, offsets without gap or overlap, shapes) and
/// throws CheckpointError, naming the file and what is wrong.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);
  explicit SafetensorsFile(FileBytes file);
  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  /// In the order of their bytes.
  const std::vector<std::string>& names() const noexcept;
  bool contains(const std::string& name) const;
  /// A copy on the CPU, contiguous. Throws CheckpointError if there is no such tensor.
  at::Tensor tensor(const std::string& name) const;
  const Metadata& metadata() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Writes `tensors` (any device and strides; stored contiguous, in the given order) whole or not at all. Equal
/// tensors and metadata give equal files.
void write_safetensors(const std::filesystem::path& path, const NamedTensors& tensors, const Metadata& metadata = {});

}  // namespace effnetv2
