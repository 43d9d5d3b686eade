#include "jpeg_frame.h"

#include <algorithm>

namespace effnetv2 {
namespace {

/// The contents of a segment, read from the front.
class Segment {
 public:
  explicit Segment(std::string_view bytes) : bytes_(bytes) {}
  std::size_t left() const { return bytes_.size() - at_; }
  std::string_view text() const { return bytes_; }
  int byte() { return static_cast<unsigned char>(bytes_[at_++]); }
  int number(int bytes) {
    const int high = byte();
    return bytes == 1 ? high : high << 8 | byte();
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

/// Reads one segment after the other; each read_... returns false for what is not ours.
class FrameReader {
 public:
  explicit FrameReader(std::string_view bytes) : bytes_(bytes) {}

  std::optional<JpegFrame> read() {
    if (!bytes_.starts_with("\xFF\xD8")) {
      return std::nullopt;
    }
    std::size_t at = 2;
    while (bytes_.size() - at >= 4) {
      const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes_[at + i]); };
      if (byte(0) != 0xFF) {
        return std::nullopt;
      }
      const int marker = byte(1);
      if (marker == 0xFF) {  // fill byte
        ++at;
        continue;
      }
      const std::size_t length = static_cast<std::size_t>(byte(2)) << 8 | byte(3);
      if (length < 2 || length > bytes_.size() - at - 2) {
        return std::nullopt;
      }
      if (!read_segment(marker, Segment(bytes_.substr(at + 4, length - 2)))) {
        return std::nullopt;
      }
      at += 2 + length;
      if (marker == 0xDA) {
        frame_.data = at;
        return std::move(frame_);
      }
    }
    return std::nullopt;
  }

 private:
  bool read_segment(int marker, Segment segment) {
    switch (marker) {
      case 0xC0:
      case 0xC1:
        return read_frame_header(segment);
      case 0xC4:
        return read_huffman_codes(segment);
      case 0xDA:
        return read_scan_header(segment);
      case 0xDB:
        return read_quantization(segment);
      case 0xDD:
        if (segment.left() != 2) {
          return false;
        }
        frame_.restart_interval = segment.number(2);
        return true;
      case 0xEE:
        // Adobe's: its last byte is 1 for YCbCr
        return !segment.text().starts_with("Adobe") || (segment.left() >= 12 && segment.text()[11] == 1);
      default:
        return (marker >= 0xE0 && marker <= 0xEF) || marker == 0xFE;
    }
  }

  bool read_quantization(Segment& segment) {
    while (segment.left() > 0) {
      const int kind = segment.byte();
      const int bytes = 1 + (kind >> 4);
      const auto table = static_cast<std::size_t>(kind & 15);
      if (bytes > 2 || table >= tables_.size() || segment.left() < 64 * static_cast<std::size_t>(bytes)) {
        return false;
      }
      for (auto& value : tables_[table]) {
        value = static_cast<std::uint16_t>(segment.number(bytes));
        if (value == 0) {
          return false;
        }
      }
    }
    return true;
  }

  bool read_huffman_codes(Segment& segment) {
    while (segment.left() > 0) {
      const int kind = segment.byte();
      const auto table = static_cast<std::size_t>(kind & 15);
      if (kind > 0x1F || table >= frame_.dc.size() || segment.left() < 16) {
        return false;
      }
      HuffmanSpec& spec = (kind >> 4 == 0 ? frame_.dc : frame_.ac)[table];
      spec = {};
      spec.defined = true;
      std::size_t total = 0;
      std::uint32_t code = 0;
      for (std::size_t i = 0; i < 16; ++i) {
        spec.counts[i] = static_cast<std::uint8_t>(segment.byte());
        total += spec.counts[i];
        code = 2 * code + spec.counts[i];
        if (code >= 2U << i) {  // more codes than there are of this length; one of ones alone is none
          return false;
        }
      }
      if (total > spec.symbols.size() || segment.left() < total) {
        return false;
      }
      constexpr std::uint8_t kLargestDcSymbol = 15;
      for (std::size_t i = 0; i < total; ++i) {
        spec.symbols[i] = static_cast<std::uint8_t>(segment.byte());
        if (kind >> 4 == 0 && spec.symbols[i] > kLargestDcSymbol) {
          return false;
        }
      }
    }
    return true;
  }

  bool read_frame_header(Segment& segment) {
    if (!frame_.components.empty() || segment.left() < 6 || segment.byte() != 8) {
      return false;
    }
    frame_.height = segment.number(2);
    frame_.width = segment.number(2);
    const auto count = static_cast<std::size_t>(segment.byte());
    constexpr int kLongestSide = 65500;  // libjpeg's limit, so that both refuse the same files
    if (frame_.width == 0 || frame_.height == 0 || std::max(frame_.width, frame_.height) > kLongestSide ||
        (count != 1 && count != 3) || segment.left() != 3 * count) {
      return false;
    }
    frame_.components.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      ids_[i] = segment.byte();
      const int factors = segment.byte();
      JpegComponent& component = frame_.components[i];
      component.horizontal = factors >> 4;
      component.vertical = factors & 15;
      table_of_[i] = static_cast<std::size_t>(segment.byte());
      const auto in_range = [](int factor) { return factor >= 1 && factor <= 4; };
      if (!in_range(component.horizontal) || !in_range(component.vertical) || table_of_[i] >= tables_.size()) {
        return false;
      }
    }
    return distinct_ids() && check_sampling();
  }

  /// Also refuses what says by its names that it is RGB.
  bool distinct_ids() const {
    if (frame_.components.size() == 1) {
      return true;
    }
    return ids_[0] != ids_[1] && ids_[0] != ids_[2] && ids_[1] != ids_[2] &&
           !(ids_[0] == 'R' && ids_[1] == 'G' && ids_[2] == 'B');
  }

  bool check_sampling() {
    auto& components = frame_.components;
    if (components.size() == 1) {  // a lone component is never interleaved
      components[0].horizontal = components[0].vertical = 1;
      return true;
    }
    int blocks = 0;
    for (const auto& component : components) {
      frame_.horizontal = std::max(frame_.horizontal, component.horizontal);
      frame_.vertical = std::max(frame_.vertical, component.vertical);
      blocks += component.horizontal * component.vertical;
    }
    return blocks <= kMostBlocksOfMcu && std::ranges::all_of(components, [&](const JpegComponent& component) {
             return frame_.horizontal % component.horizontal == 0 && frame_.vertical % component.vertical == 0;
           });
  }

  bool read_scan_header(Segment& segment) {
    auto& components = frame_.components;
    if (components.empty() || segment.left() != 4 + 2 * components.size() ||
        segment.byte() != static_cast<int>(components.size())) {
      return false;
    }
    for (std::size_t i = 0; i < components.size(); ++i) {
      const int id = segment.byte();
      const int codes = segment.byte();
      JpegComponent& component = components[i];
      component.dc = static_cast<std::size_t>(codes >> 4);
      component.ac = static_cast<std::size_t>(codes & 15);
      component.quantization = tables_[table_of_[i]];
      if (id != ids_[i] || component.dc >= frame_.dc.size() || component.ac >= frame_.ac.size() ||
          !frame_.dc[component.dc].defined || !frame_.ac[component.ac].defined || component.quantization[0] == 0) {
        return false;
      }
    }
    return segment.byte() == 0 && segment.byte() == 63 && segment.byte() == 0;  // the whole spectrum at once
  }

  std::string_view bytes_;
  JpegFrame frame_;
  std::array<std::array<std::uint16_t, 64>, 4> tables_{};
  std::array<int, 3> ids_{};
  std::array<std::size_t, 3> table_of_{};
};

}  // namespace

std::optional<JpegFrame> read_jpeg_frame(std::string_view bytes) {
  return FrameReader(bytes).read();
}

}  // namespace effnetv2
