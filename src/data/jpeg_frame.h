#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace effnetv2 {

/// A Huffman code as a file gives it (ITU-T T.81, annex C): how many codes there are of each length from 1 to 16, and
/// the symbols in the order of their codes.
struct HuffmanSpec {
  std::array<std::uint8_t, 16> counts{};
  std::array<std::uint8_t, 256> symbols{};
  bool defined = false;
};

/// Blocks of one interleaved unit (MCU) at most (B.2.3).
constexpr int kMostBlocksOfMcu = 10;

/// One colour channel of a frame.
struct JpegComponent {
  int horizontal = 1;                            ///< sampling factors
  int vertical = 1;                              ///<
  std::array<std::uint16_t, 64> quantization{};  ///< in zigzag order
  std::size_t dc = 0;                            ///< which of the frame's codes
  std::size_t ac = 0;                            ///<
};

/// Everything before the entropy-coded data of a JPEG with one scan.
struct JpegFrame {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::vector<JpegComponent> components;  ///< Y, or Y, Cb and Cr
  int horizontal = 1;                     ///< the largest sampling factors; each component's divide them
  int vertical = 1;                       ///<
  std::array<HuffmanSpec, 4> dc;
  std::array<HuffmanSpec, 4> ac;
  std::int64_t restart_interval = 0;  ///< in units of interleaved blocks (MCU); 0: none
  std::size_t data = 0;               ///< where the entropy-coded data begins
};

/// The frame of a baseline or extended sequential JPEG of 8 bits, grey or YCbCr, all of it in one scan and nothing in
/// it out of place; nullopt for any other file.
std::optional<JpegFrame> read_jpeg_frame(std::string_view bytes);

}  // namespace effnetv2
