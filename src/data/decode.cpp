#include "effnetv2/data/decode.h"

#include <cerrno>
#include <mutex>
#include <utility>

#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"
#include "effnetv2/core/text.h"

#include "image_format.h"

namespace effnetv2 {
namespace {

/// More than any picture of kMaxPixels needs, and less than OpenCV can count.
constexpr std::size_t kMostFileBytes = std::size_t{1} << 30;

/// The loader has its own threads, and messages are ours to give.
void set_up_opencv() {
  static std::once_flag once;
  std::call_once(once, [] {
    cv::setNumThreads(0);
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
  });
}

ImageHeader checked_header(std::string_view bytes, const std::string& name, bool header_only) {
  const ImageFormat format = inspect_image(bytes, header_only);
  if (!format.defect.empty()) {
    throw DataError(printable(name) + ": " + format.defect);
  }
  const auto& [width, height, channels] = format.header;
  if (width < 1 || height < 1 || width > kMaxPixels || height > kMaxPixels / width) {
    throw DataError(printable(name) + ": its header says " + std::to_string(width) + " x " + std::to_string(height) +
                    " pixels; between 1 and " + with_commas(kMaxPixels) + " pixels are accepted");
  }
  return format.header;
}

/// OpenCV reduces by powers of two only.
int read_flags(int eighths) {
  if (eighths <= 1) {
    return cv::IMREAD_REDUCED_COLOR_8;
  }
  if (eighths <= 2) {
    return cv::IMREAD_REDUCED_COLOR_4;
  }
  return eighths <= 4 ? cv::IMREAD_REDUCED_COLOR_2 : cv::IMREAD_COLOR;
}

}  // namespace

std::string read_image_file(const std::filesystem::path& path) {
  try {
    return read_file(path, kMostFileBytes);
  } catch (const FileError& e) {
    if (e.code == EMFILE || e.code == ENFILE || e.code == ENOMEM) {
      throw;  // no fault of the file
    }
    throw DataError(printable(e.what()));
  }
}

Image decode_image(const std::string& bytes, const std::string& name, const Reduction& reduction) {
  const bool reduced = reduction && bytes.starts_with("\xFF\xD8");
  if (reduced) {
    if (auto image = decode_jpeg(bytes, reduction)) {
      return std::move(*image);
    }
  }
  set_up_opencv();
  const ImageHeader header = checked_header(bytes, name, /*header_only=*/false);
  const int flags = read_flags(reduced ? reduction(header.width, header.height) : 8);
  cv::Mat decoded;
  try {
    std::string storage;
    const std::string_view plain = without_metadata(bytes, storage);
    const cv::Mat view(1, static_cast<int>(plain.size()), CV_8UC1, const_cast<char*>(plain.data()));  // only read
    decoded = cv::imdecode(view, flags | cv::IMREAD_IGNORE_ORIENTATION);
  } catch (const cv::Exception&) {
    decoded.release();
  }
  if (decoded.empty() || decoded.type() != CV_8UC3) {
    throw DataError(printable(name) + ": cannot be decoded: its contents are damaged or of an unknown kind");
  }
  Image image(decoded.cols, decoded.rows);
  cv::Mat rgb(decoded.rows, decoded.cols, CV_8UC3, image.pixels.data());
  cv::cvtColor(decoded, rgb, cv::COLOR_BGR2RGB);
  return image;
}

Image decode_image(const std::filesystem::path& path) {
  return decode_image(path, {});
}

Image decode_image(const std::filesystem::path& path, const Reduction& reduction) {
  return decode_image(read_image_file(path), path.string(), reduction);
}

ImageHeader read_image_header(const std::filesystem::path& path) {
  return read_image_header(read_image_file(path), path.string());
}

ImageHeader read_image_header(const std::string& bytes, const std::string& name) {
  return checked_header(bytes, name, /*header_only=*/true);
}

}  // namespace effnetv2
