#include "effnetv2/data/png.h"

#include <vector>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "effnetv2/core/error.h"

namespace effnetv2 {

std::string encode_png(const Image& image) {
  cv::Mat bgr(static_cast<int>(image.height), static_cast<int>(image.width), CV_8UC3);
  // OpenCV has no view of constant pixels; it does not write to these
  const cv::Mat rgb(bgr.rows, bgr.cols, CV_8UC3, const_cast<std::uint8_t*>(image.pixels.data()));
  cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
  std::vector<unsigned char> bytes;
  if (!cv::imencode(".png", bgr, bytes)) {
    throw EnvironmentError("this OpenCV cannot write PNG pictures");
  }
  return {bytes.begin(), bytes.end()};
}

}  // namespace effnetv2
