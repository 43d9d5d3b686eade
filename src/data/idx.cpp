#include "effnetv2/data/idx.h"

#include <cstdio>
#include <string>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"
#include "effnetv2/core/stop.h"
#include "effnetv2/core/text.h"

namespace effnetv2 {
namespace {

std::uint32_t big32(const std::string& bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  }
  return value;
}

/// The file with its header checked: magic number, dimensions, length.
std::string read_idx(const std::filesystem::path& path, std::uint32_t magic, std::size_t dimensions) {
  std::string bytes;
  try {
    bytes = read_file(path);
  } catch (const EnvironmentError& e) {
    throw DataError(e.what());
  }
  if (bytes.starts_with("\x1F\x8B")) {
    throw DataError(path.string() + ": is compressed; run gunzip on it first");
  }
  const std::size_t header = 4 + 4 * dimensions;
  if (bytes.size() < header || big32(bytes, 0) != magic) {
    char expected[16];
    std::snprintf(expected, sizeof expected, "0x%08X", magic);
    throw DataError(path.string() + ": is no idx file of " + (dimensions == 3 ? "images" : "labels") +
                    ": it does not begin with " + expected + "; are images and labels in the wrong order?");
  }
  std::uint64_t size = 1;
  for (std::size_t i = 0; i < dimensions; ++i) {
    const std::uint64_t length = big32(bytes, 4 + 4 * i);
    if (length > bytes.size() || (length != 0 && size > bytes.size() / length)) {
      throw DataError(path.string() + ": its header promises more than its " +
                      with_commas(static_cast<std::int64_t>(bytes.size())) + " bytes");
    }
    size *= length;
  }
  if (bytes.size() != header + size) {
    throw DataError(path.string() + ": has " + std::to_string(bytes.size()) + " bytes, its header promises " +
                    std::to_string(header + size));
  }
  return bytes;
}

struct RemoveAtEnd {
  std::filesystem::path path;
  ~RemoveAtEnd() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

}  // namespace

std::int64_t convert_idx(const std::filesystem::path& images, const std::filesystem::path& labels,
                         const std::filesystem::path& directory, const ProgressFn& progress) {
  std::string pixels = read_idx(images, 0x803, 3);
  const std::string classes = read_idx(labels, 0x801, 1);
  const std::size_t count = big32(pixels, 4);
  const int height = static_cast<int>(big32(pixels, 8)), width = static_cast<int>(big32(pixels, 12));
  if (count != big32(classes, 4)) {
    throw DataError(images.string() + " has " + std::to_string(count) + " images, " + labels.string() + " has " +
                    std::to_string(big32(classes, 4)) + " labels");
  }
  if (count > 0 && (height < 1 || width < 1)) {
    throw DataError(images.string() + ": its images have no pixels");
  }
  const bool exists = std::filesystem::exists(directory);
  // weakly_canonical alone leaves a new name without a slash as it is, and then it has no folder above it
  auto target = std::filesystem::weakly_canonical(std::filesystem::absolute(directory));
  if (!target.has_filename()) {
    target = target.parent_path();  // given with a slash at its end
  }
  // one that exists may be a mount point, over which nothing can be renamed
  const auto part = (exists ? target : target.parent_path()) /
                    (std::string(kTemporaryPrefix) + (exists ? "idx" : target.filename().string()));
  std::filesystem::remove_all(part);
  if (exists && !std::filesystem::is_empty(directory)) {
    throw DataError(directory.string() + ": is not empty; choose a new folder");
  }
  // under another name until it is whole: a part of it would be taken for the set
  make_directories(part);
  const RemoveAtEnd cleaner{part};
  const std::size_t bytes = static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  std::vector<unsigned char> encoded;
  for (std::size_t i = 0; i < count; ++i) {
    if (stop_requested()) {
      return 0;
    }
    const auto folder = part / std::to_string(static_cast<unsigned char>(classes[8 + i]));
    if (!std::filesystem::exists(folder)) {
      make_directories(folder);
    }
    const cv::Mat image(height, width, CV_8UC1, pixels.data() + 16 + i * bytes);
    cv::imencode(".png", image, encoded);
    char name[24];
    std::snprintf(name, sizeof name, "%06zu.png", i);
    AppendFile(folder / name, 0).append({reinterpret_cast<const char*>(encoded.data()), encoded.size()});
    if (progress) {
      progress(static_cast<std::int64_t>(i) + 1, static_cast<std::int64_t>(count));
    }
  }
  if (exists) {
    for (const auto& folder : std::filesystem::directory_iterator(part)) {
      std::filesystem::rename(folder.path(), target / folder.path().filename());
    }
  } else {
    std::filesystem::rename(part, target);
  }
  sync_directory(exists ? target : target.parent_path());
  return static_cast<std::int64_t>(count);
}

}  // namespace effnetv2
