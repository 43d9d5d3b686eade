#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <vector>

#include "effnetv2/data/image.h"

namespace effnetv2::test {

/// What no encoder at hand lets one choose.
struct JpegLayout {
  std::vector<std::array<int, 2>> sampling{{1, 1}, {1, 1}, {1, 1}};  ///< of Y, Cb and Cr, across and down; or of Y
  int quantizer = 2;                                                 ///< of every frequency
  int restart_interval = 0;                                          ///< in MCUs
};

/// A baseline JPEG, plainly made: every DC code has 4 bits, every AC code 8.
class JpegWriter {
 public:
  JpegWriter(const Image& image, const JpegLayout& layout) : image_(image), layout_(layout) {
    for (const auto& [across, down] : layout.sampling) {
      across_ = std::max(across_, across);
      down_ = std::max(down_, down);
    }
  }

  std::string write() {
    bytes_ = "\xFF\xD8";
    segment(0xDB, std::string(1, '\0') + std::string(64, static_cast<char>(layout_.quantizer)));
    const auto count = layout_.sampling.size();
    std::string frame = "\x08" + big16(image_.height) + big16(image_.width) + static_cast<char>(count);
    std::string scan(1, static_cast<char>(count));
    for (std::size_t c = 0; c < count; ++c) {
      const auto id = static_cast<char>(c + 1);
      frame += {id, static_cast<char>(layout_.sampling[c][0] << 4 | layout_.sampling[c][1]), '\0'};
      scan += {id, '\0'};
    }
    segment(0xC0, frame);
    std::string dc(17, '\0'), ac(17, '\0');
    dc[4] = 12;
    ac[0] = '\x10';
    ac[8] = static_cast<char>(176);
    for (char size = 0; size < 12; ++size) {
      dc += size;
    }
    for (int symbol = 0; symbol < 176; ++symbol) {
      ac += static_cast<char>(symbol % 16 << 4 | symbol / 16);
    }
    segment(0xC4, dc + ac);
    if (layout_.restart_interval > 0) {
      segment(0xDD, big16(layout_.restart_interval));
    }
    segment(0xDA, scan + std::string("\0\x3F\0", 3));
    write_scan();
    return bytes_ + "\xFF\xD9";
  }

 private:
  static std::string big16(std::int64_t value) { return {static_cast<char>(value >> 8), static_cast<char>(value)}; }

  void segment(int marker, const std::string& contents) {
    bytes_ += '\xFF';
    bytes_ += static_cast<char>(marker);
    bytes_ += big16(static_cast<std::int64_t>(contents.size()) + 2) + contents;
  }

  void put(unsigned value, int bits) {
    for (int i = bits - 1; i >= 0; --i) {
      held_ = held_ << 1 | (value >> i & 1);
      if (++held_bits_ == 8) {
        bytes_ += static_cast<char>(held_);
        if ((held_ & 255) == 255) {
          bytes_ += '\0';
        }
        held_ = 0;
        held_bits_ = 0;
      }
    }
  }

  void write_scan() {
    const bool alone = layout_.sampling.size() == 1;
    const int across = alone ? 1 : across_, down = alone ? 1 : down_;
    int mcus = 0;
    for (std::int64_t y = 0; y < image_.height; y += 8 * down) {
      for (std::int64_t x = 0; x < image_.width; x += 8 * across) {
        if (layout_.restart_interval > 0 && mcus > 0 && mcus % layout_.restart_interval == 0) {
          restart(mcus / layout_.restart_interval - 1);
        }
        ++mcus;
        for (std::size_t c = 0; c < layout_.sampling.size(); ++c) {
          const auto [h, v] = alone ? std::array{1, 1} : layout_.sampling[c];
          for (int i = 0; i < h * v; ++i) {
            write_block(c, x + i % h * 8 * across / h, y + i / h * 8 * down / v, across / h, down / v);
          }
        }
      }
    }
    put(0x7F, (8 - held_bits_) % 8);
  }

  void restart(int number) {
    put(0x7F, (8 - held_bits_) % 8);
    bytes_ += '\xFF';
    bytes_ += static_cast<char>(0xD0 + number % 8);
    last_dc_ = {};
  }

  double sample(std::size_t component, std::int64_t x, std::int64_t y) const {
    const auto at = std::min(y, image_.height - 1) * image_.width + std::min(x, image_.width - 1);
    const auto* p = image_.pixels.data() + 3 * at;
    const double r = p[0], g = p[1], b = p[2], luma = 0.299 * r + 0.587 * g + 0.114 * b;
    return component == 0 ? luma - 128 : component == 1 ? (b - luma) / 1.772 : (r - luma) / 1.402;
  }

  /// The 8 x 8 block whose first pixel is (x, y), each of its numbers the mean of across x down pixels.
  void write_block(std::size_t c, std::int64_t x, std::int64_t y, int across, int down) {
    double means[8][8];
    for (int row = 0; row < 8; ++row) {
      for (int column = 0; column < 8; ++column) {
        double sum = 0;
        for (int i = 0; i < across * down; ++i) {
          sum += sample(c, x + column * across + i % across, y + row * down + i / across);
        }
        means[row][column] = sum / (across * down);
      }
    }
    std::array<int, 64> coefficients{};
    for (int v = 0; v < 8; ++v) {
      for (int u = 0; u < 8; ++u) {
        double sum = 0;
        for (int i = 0; i < 64; ++i) {
          sum += means[i / 8][i % 8] * std::cos((2 * (i % 8) + 1) * u * std::numbers::pi / 16) *
                 std::cos((2 * (i / 8) + 1) * v * std::numbers::pi / 16);
        }
        sum *= 0.25 * (u == 0 ? std::numbers::sqrt2 / 2 : 1) * (v == 0 ? std::numbers::sqrt2 / 2 : 1);
        coefficients[static_cast<std::size_t>(8 * v + u)] = static_cast<int>(std::lround(sum / layout_.quantizer));
      }
    }
    write_coefficients(c, coefficients);
  }

  void write_coefficients(std::size_t c, const std::array<int, 64>& coefficients) {
    const int difference = coefficients[0] - last_dc_[c];
    last_dc_[c] = coefficients[0];
    put(static_cast<unsigned>(size_of(difference)), 4);
    put_number(difference);
    int run = 0, u = 0, v = 0;
    for (int k = 1; k < 64; ++k) {
      step_zigzag(u, v);
      const int value = coefficients[static_cast<std::size_t>(8 * v + u)];
      if (value == 0) {
        ++run;
        continue;
      }
      for (; run > 15; run -= 16) {
        put(15, 8);
      }
      put(static_cast<unsigned>(size_of(value) * 16 + run), 8);
      put_number(value);
      run = 0;
    }
    if (run > 0) {
      put(0, 8);
    }
  }

  static void step_zigzag(int& u, int& v) {
    const bool up = (u + v) % 2 == 0;
    int &along = up ? u : v, &against = up ? v : u;
    if (along == 7) {
      ++against;
    } else if (against == 0) {
      ++along;
    } else {
      ++along;
      --against;
    }
  }

  static int size_of(int value) {
    int size = 0;
    for (int rest = std::abs(value); rest > 0; rest /= 2) {
      ++size;
    }
    return size;
  }

  void put_number(int value) {
    const int size = size_of(value);
    put(static_cast<unsigned>(value > 0 ? value : value + (1 << size) - 1), size);
  }

  const Image& image_;
  const JpegLayout& layout_;
  int across_ = 1, down_ = 1;
  std::string bytes_;
  unsigned held_ = 0;
  int held_bits_ = 0;
  std::array<int, 3> last_dc_{};
};

inline std::string write_jpeg(const Image& image, const JpegLayout& layout = {}) {
  return JpegWriter(image, layout).write();
}

}  // namespace effnetv2::test
