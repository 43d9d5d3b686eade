#include "effnetv2/data/jpeg.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <utility>
#include <vector>

#include "effnetv2/core/level_kernels.h"

#include "jpeg_frame.h"
#include "jpeg_kernels.h"
#include "jpeg_scan.h"

namespace effnetv2 {

EFFNETV2_LEVEL_KERNELS(JpegKernels, kJpegKernels)

namespace {

/// cosines[x * kept + u] of an inverse transform of 8 frequencies, of which `kept` are used, to `size` points.
std::vector<float> basis(int size, int kept) {
  std::vector<float> cosines;
  for (int x = 0; x < size; ++x) {
    for (int u = 0; u < kept; ++u) {
      const double angle = (2 * x + 1) * u * std::numbers::pi / (2 * size);
      cosines.push_back(static_cast<float>(u == 0 ? std::sqrt(0.125) : 0.5 * std::cos(angle)));
    }
  }
  return cosines;
}

/// From the coefficients of a component to its rows of pixels.
class ComponentDecoder {
 public:
  /// Of a picture reduced to `eighths`. Subsampled blocks stand for more pixels and become as many.
  ComponentDecoder(const JpegFrame& frame, const JpegComponent& component, int eighths, std::int64_t mcus)
      : size_x_(eighths * frame.horizontal / component.horizontal),
        size_y_(eighths * frame.vertical / component.vertical),
        block_rows_(component.vertical),
        kept_x_(std::min(size_x_, 8)),
        kept_y_(std::min(size_y_, 8)),
        row_blocks_((mcus * component.horizontal + kGroup - 1) / kGroup * kGroup),
        stride_(row_blocks_ * size_x_ + kGroup),
        basis_x_(basis(size_x_, kept_x_)),
        basis_y_(basis(size_y_, kept_y_)),
        pixels_(static_cast<std::size_t>(stride_ * size_y_ * block_rows_)) {
    for (int v = 0; v < kept_y_; ++v) {
      for (int u = 0; u < kept_x_; ++u) {
        scale_.push_back(component.quantization[zigzag(u, v)]);
      }
    }
  }

  CoefficientRows coefficients() const { return {row_blocks_, block_rows_, kept_x_, kept_y_}; }

  void transform(const JpegKernels& kernels, const CoefficientRows& rows) {
    const JpegTransform transform{kept_x_, kept_y_, size_x_, size_y_, scale_.data(), basis_x_.data(), basis_y_.data()};
    for (int row = 0; row < block_rows_; ++row) {
      kernels.transform(transform, rows.values.data() + row * row_blocks_, rows.plane, row_blocks_,
                        pixels_.data() + row * size_y_ * stride_, stride_);
    }
  }

  /// Readable up to a multiple of 16 pixels.
  const std::uint8_t* row(std::int64_t y) const { return pixels_.data() + y * stride_; }

 private:
  static constexpr std::int64_t kGroup = CoefficientRows::kBlockGroup;
  int size_x_, size_y_, block_rows_, kept_x_, kept_y_;
  std::ptrdiff_t row_blocks_, stride_;
  std::vector<float> scale_, basis_x_, basis_y_;
  std::vector<std::uint8_t> pixels_;
};

}  // namespace

std::optional<Image> decode_jpeg(std::string_view bytes, const Reduction& reduction) {
  const auto frame = read_jpeg_frame(bytes);
  if (!frame || frame->height > kMaxPixels / frame->width) {
    return std::nullopt;
  }
  auto data = read_entropy_data(bytes, frame->data);
  if (!data) {
    return std::nullopt;
  }
  JpegScan scan(*frame, std::move(*data));
  if (!scan.may_hold_all()) {
    return std::nullopt;
  }
  const int eighths = std::clamp(reduction(frame->width, frame->height), 1, 8);
  std::vector<ComponentDecoder> components;
  std::vector<CoefficientRows> rows;
  for (const JpegComponent& component : frame->components) {
    components.emplace_back(*frame, component, eighths, scan.mcus_across());
    rows.push_back(components.back().coefficients());
  }
  const JpegKernels& kernels = kJpegKernels_at(cpu_level());
  Image image((frame->width * eighths + 7) / 8, (frame->height * eighths + 7) / 8);
  const auto padded = (image.width + 15) / 16 * 16;
  std::vector<std::uint8_t> rgb(static_cast<std::size_t>(3 * padded + 1));
  std::uint8_t* to = image.pixels.data();
  for (std::int64_t y = 0; y < image.height;) {
    if (!scan.read_row(rows)) {
      return std::nullopt;
    }
    for (std::size_t c = 0; c < components.size(); ++c) {
      components[c].transform(kernels, rows[c]);
    }
    const auto last = std::min<std::int64_t>(image.height, y + eighths * frame->vertical);
    for (std::int64_t row = 0; y < last; ++y, ++row, to += 3 * image.width) {
      const std::uint8_t* luma = components[0].row(row);
      if (components.size() == 1) {
        for (std::int64_t x = 0; x < image.width; ++x) {
          std::memset(to + 3 * x, luma[x], 3);
        }
      } else {
        kernels.to_rgb(luma, components[1].row(row), components[2].row(row), padded, rgb.data());
        std::memcpy(to, rgb.data(), static_cast<std::size_t>(3 * image.width));
      }
    }
  }
  if (!scan.at_end()) {
    return std::nullopt;
  }
  return image;
}

}  // namespace effnetv2
