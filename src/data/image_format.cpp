#include "image_format.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <utility>

namespace effnetv2 {
namespace {

constexpr const char* kTruncated = "is truncated";

/// Reads numbers out of bytes, with one sticky error instead of one at each step.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}
  std::size_t size() const { return bytes_.size(); }
  bool has(std::size_t at, std::size_t count) const { return at <= size() && size() - at >= count; }
  std::uint32_t byte(std::size_t at) const { return static_cast<unsigned char>(bytes_[at]); }
  std::uint32_t big16(std::size_t at) const { return byte(at) << 8 | byte(at + 1); }
  std::uint32_t big32(std::size_t at) const { return big16(at) << 16 | big16(at + 2); }
  std::uint32_t little16(std::size_t at) const { return byte(at) | byte(at + 1) << 8; }
  std::uint32_t little24(std::size_t at) const { return little16(at) | byte(at + 2) << 16; }
  std::uint32_t little32(std::size_t at) const { return little16(at) | little16(at + 2) << 16; }
  std::string_view text(std::size_t at, std::size_t count) const { return bytes_.substr(at, count); }
  /// Where `value` is first, from `at` on; npos if nowhere.
  std::size_t find(unsigned char value, std::size_t at) const { return bytes_.find(static_cast<char>(value), at); }

 private:
  std::string_view bytes_;
};

ImageFormat broken(std::string defect) {
  return {{}, std::move(defect)};
}

/// Position of the next marker after entropy-coded data: FF followed by neither a stuffed 00 nor a restart.
std::optional<std::size_t> skip_scan(const Bytes& data, std::size_t at) {
  for (;; ++at) {
    at = data.find(0xFF, at);
    if (!data.has(at, 2)) {
      return std::nullopt;
    }
    const auto next = data.byte(at + 1);
    if (next != 0x00 && next != 0xFF && !(next >= 0xD0 && next <= 0xD7)) {
      return at;
    }
  }
}

bool is_frame_header(std::uint32_t marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

/// ITU-T T.81, annex B.
ImageFormat inspect_jpeg(const Bytes& data, bool header_only) {
  ImageFormat format;
  bool scanned = false;
  for (std::size_t at = 2; data.has(at, 2);) {
    if (data.byte(at) != 0xFF) {  // junk between segments, which libjpeg and Pillow pass over
      ++at;
      continue;
    }
    const auto marker = data.byte(at + 1);
    if (marker == 0xFF) {  // fill byte
      ++at;
      continue;
    }
    if (marker == 0xD9) {
      return scanned ? format : broken("holds no picture data");
    }
    if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD7)) {
      at += 2;
      continue;
    }
    if (!data.has(at + 2, 2) || !data.has(at + 2, data.big16(at + 2))) {
      return broken(kTruncated);
    }
    const std::size_t length = data.big16(at + 2);
    if (length < 2) {
      return broken("is damaged: a JPEG segment of impossible length at byte " + std::to_string(at));
    }
    if (is_frame_header(marker)) {
      if (length < 8) {
        return broken("is damaged: its JPEG frame header is too short");
      }
      format.header = {data.big16(at + 7), data.big16(at + 5), static_cast<int>(data.byte(at + 9))};
      if (header_only) {
        return format;
      }
    }
    at += 2 + length;
    if (marker == 0xDA) {
      scanned = true;
      const auto next = skip_scan(data, at);
      if (!next) {
        return broken(kTruncated);
      }
      at = *next;
    }
  }
  return broken(kTruncated);
}

std::uint32_t crc32(const Bytes& data, std::size_t at, std::size_t count) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> entries{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t c = i;
      for (int bit = 0; bit < 8; ++bit) {
        c = (c & 1) != 0 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
      }
      entries[i] = c;
    }
    return entries;
  }();
  std::uint32_t c = 0xFFFFFFFFu;
  for (std::size_t i = 0; i < count; ++i) {
    c = table[(c ^ data.byte(at + i)) & 0xFF] ^ (c >> 8);
  }
  return c ^ 0xFFFFFFFFu;
}

/// PNG (ISO/IEC 15948): every chunk with its checksum, up to IEND.
ImageFormat inspect_png(const Bytes& data, bool header_only) {
  if (!data.has(8, 25) || data.text(12, 4) != "IHDR") {
    return broken(kTruncated);
  }
  constexpr std::array<int, 7> channels_of_color_type{1, 0, 3, 3, 2, 0, 4};
  const auto color_type = data.byte(25);
  if (color_type >= channels_of_color_type.size() || channels_of_color_type[color_type] == 0) {
    return broken("is damaged: PNG colour type " + std::to_string(color_type));
  }
  ImageFormat format{{data.big32(16), data.big32(20), channels_of_color_type[color_type]}, ""};
  if (header_only) {
    return format;
  }
  for (std::size_t at = 8; data.has(at, 12);) {
    const std::size_t length = data.big32(at);
    if (!data.has(at + 12, length)) {
      return broken(kTruncated);
    }
    if (crc32(data, at + 4, length + 4) != data.big32(at + 8 + length)) {
      return broken("is damaged: wrong checksum of a PNG chunk at byte " + std::to_string(at));
    }
    if (data.text(at + 4, 4) == "IEND") {
      return format;
    }
    at += 12 + length;
  }
  return broken(kTruncated);
}

ImageFormat inspect_bmp(const Bytes& data, bool header_only) {
  if (!data.has(0, 30)) {
    return broken(kTruncated);
  }
  const bool old_header = data.little32(14) == 12;
  if (!old_header && !data.has(0, 54)) {
    return broken(kTruncated);
  }
  const auto signed32 = [&](std::size_t at) -> std::int64_t { return static_cast<std::int32_t>(data.little32(at)); };
  const std::int64_t width = old_header ? data.little16(18) : signed32(18);
  const std::int64_t height = old_header ? data.little16(20) : signed32(22);
  const auto bits = old_header ? data.little16(24) : data.little16(28);
  const auto compression = old_header ? 0 : data.little32(30);
  // OpenCV says on stderr what it does not know
  if (data.little32(14) < 12 || data.little32(14) > 124 || compression > 3 || bits > 32) {
    return broken("is damaged or of an unknown kind: BMP header of " + std::to_string(data.little32(14)) + " bytes, " +
                  std::to_string(bits) + " bits, compression " + std::to_string(compression));
  }
  const std::int64_t rows = std::abs(height);  // negative: stored downwards
  // the larger of both, as GCC 14 fails on two comparisons
  if (!header_only && width > 0 && std::max(width, rows) < (1 << 24)) {
    const bool run_lengths = compression == 1 || compression == 2;
    const auto row = (static_cast<std::uint64_t>(width) * bits + 31) / 32 * 4;
    if (!data.has(data.little32(10), run_lengths ? data.little32(34) : row * static_cast<std::uint64_t>(rows))) {
      return broken(kTruncated);
    }
  }
  return {{std::abs(width), rows, 3}, ""};
}

ImageFormat inspect_webp(const Bytes& data, bool header_only) {
  if (!data.has(0, 30) || (!header_only && !data.has(8, data.little32(4)))) {
    return broken(kTruncated);
  }
  // OpenCV gives what libwebp refuses to its readers of DICOM and DTED where it has their marks, and the former's
  // asserts end the process
  for (const auto& [at, mark] : {std::pair{128, "DICM"}, {140, "DTED"}}) {
    if (data.has(at, 4) && data.text(at, 4) == mark) {
      return broken("is damaged or of an unknown kind: a WebP with the mark of another format at byte " +
                    std::to_string(at));
    }
  }
  const auto kind = data.text(12, 4);
  if (kind == "VP8X") {
    if ((data.byte(20) & 0x02) != 0) {  // of which some versions of OpenCV read the first picture
      return broken("is an animation, no picture");
    }
    return {{data.little24(24) + 1, data.little24(27) + 1, 3}, ""};
  }
  if (kind == "VP8L") {
    const auto bits = data.little32(21);
    return {{(bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, 3}, ""};
  }
  return {{data.little16(26) & 0x3FFF, data.little16(28) & 0x3FFF, 3}, ""};
}

constexpr std::string_view kPngSignature = "\x89PNG\r\n\x1A\n";

}  // namespace

std::string_view without_metadata(std::string_view bytes, std::string& storage) {
  if (!bytes.starts_with(kPngSignature)) {
    return bytes;
  }
  const Bytes data(bytes);
  storage = kPngSignature;
  storage.reserve(bytes.size());
  std::size_t length = 0;
  for (std::size_t at = storage.size(); data.has(at, 12) && data.has(at + 12, data.big32(at)); at += 12 + length) {
    length = data.big32(at);
    const auto kind = data.text(at + 4, 4);
    const bool critical = (data.byte(at + 4) & 0x20) == 0;
    if (critical || kind == "tRNS") {
      storage += data.text(at, 12 + length);
    }
  }
  return storage;
}

ImageFormat inspect_image(std::string_view bytes, bool header_only) {
  if (bytes.empty()) {
    return broken("is empty");
  }
  const Bytes data(bytes);
  if (bytes.starts_with("\xFF\xD8\xFF")) {
    return inspect_jpeg(data, header_only);
  }
  if (bytes.starts_with(kPngSignature)) {
    return inspect_png(data, header_only);
  }
  if (bytes.starts_with("BM")) {
    return inspect_bmp(data, header_only);
  }
  if (bytes.starts_with("RIFF") && bytes.size() > 12 && bytes.substr(8, 4) == "WEBP") {
    return inspect_webp(data, header_only);
  }
  return broken("is no JPEG, PNG, BMP or WebP picture, whatever its name says");
}

}  // namespace effnetv2
