#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "zip.h"

namespace effnetv2 {

/// The entries of a file of torch.save, below the folder that it puts them in.
class TorchArchive {
 public:
  /// `file` must outlive the archive. Throws Defect for other zip files and for TorchScript.
  explicit TorchArchive(std::string_view file);
  TorchArchive(const TorchArchive&) = delete;
  TorchArchive& operator=(const TorchArchive&) = delete;

  bool contains(const std::string& name) const { return find(name) != nullptr; }
  /// Its bytes, once they have proven whole. Throws Defect if it is not there, not stored as it is, or damaged.
  std::string_view bytes(const std::string& name) const;

 private:
  const ZipEntry* find(const std::string& name) const;

  std::vector<ZipEntry> entries_;
  std::unordered_map<std::string_view, const ZipEntry*> by_name_;
  std::string folder_;
};

}  // namespace effnetv2
