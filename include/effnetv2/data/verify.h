#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "effnetv2/core/progress.h"

namespace effnetv2 {

/// What is wrong with a data set, and its class sizes.
struct Verification {
  struct ClassSize {
    std::string name;  ///< class folder, with the split folder in front if there is one
    std::int64_t images = 0;
  };
  struct BadImage {
    std::string path;
    std::string reason;
  };
  struct Duplicates {
    std::vector<std::string> paths;  ///< byte-identical files, two or more, in byte order
    bool across_classes = false;     ///< under different labels: one of them is wrong
    bool across_splits = false;      ///< an image that is trained on is also measured on
  };
  std::int64_t images = 0;
  std::vector<std::string> faults;  ///< of the folders: a class without an image, or missing from a split
  std::vector<ClassSize> classes;
  std::vector<BadImage> bad;
  std::vector<Duplicates> duplicates;
  bool clean() const { return faults.empty() && bad.empty() && duplicates.empty(); }
};

/// Decodes every image below `root` with `workers` threads. The result does not depend on their number. Throws
/// DataError for a folder that is no data set at all. Returns early, and empty, once stop_requested().
Verification verify_images(const std::filesystem::path& root, int workers, const ProgressFn& progress = {});

}  // namespace effnetv2
