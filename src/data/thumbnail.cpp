#include "effnetv2/data/thumbnail.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "effnetv2/core/error.h"
#include "effnetv2/data/decode.h"
#include "effnetv2/data/resize.h"

namespace effnetv2 {

std::optional<std::string> make_thumbnail(const std::filesystem::path& path, std::int64_t side) {
  try {
    Image image = decode_image(path);
    if (std::min(image.width, image.height) > side) {
      image = resize_shorter_side(image, side, Interpolation::bilinear);
    }
    const cv::Mat rgb(static_cast<int>(image.height), static_cast<int>(image.width), CV_8UC3, image.pixels.data());
    cv::Mat bgr;
    cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
    std::vector<unsigned char> bytes;
    if (!cv::imencode(".jpg", bgr, bytes, {cv::IMWRITE_JPEG_QUALITY, 80})) {
      return std::nullopt;
    }
    return std::string(bytes.begin(), bytes.end());
  } catch (const DataError&) {
    return std::nullopt;
  }
}

}  // namespace effnetv2
