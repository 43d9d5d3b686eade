#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "jpeg_frame.h"
#include "jpeg_huffman.h"

namespace effnetv2 {

/// The low frequencies of a row of a component's blocks, one plane per coefficient: coefficient (row v, column u) of
/// block b of block row y is values[(v * x + u) * plane + y * row_blocks + b].
struct CoefficientRows {
  /// blocks: per row of blocks, a multiple of kBlockGroup; x, y: how many frequencies are kept across and down, 1 to 8.
  CoefficientRows(std::ptrdiff_t blocks, int block_rows, int x, int y);

  std::ptrdiff_t row_blocks;
  std::ptrdiff_t plane;
  std::vector<std::int16_t> values;
  /// By position in the zigzag, also one that a step beyond the block leads to: where in `values`; one place takes all
  /// that is not kept.
  std::array<std::uint32_t, 64 + kEndOfBlock> offsets{};
  std::uint32_t last_kept = 0;  ///< in the zigzag
  static constexpr std::ptrdiff_t kBlockGroup = 16;
};

/// Position in the zigzag of the coefficient in row v, column u.
std::size_t zigzag(int u, int v);

/// The entropy-coded data of a scan with its stuffed bytes and restart markers taken out.
struct EntropyData {
  std::unique_ptr<std::uint8_t[]> bytes;
  std::vector<std::size_t> ends;  ///< of the data between restarts
};

/// nullopt unless the restarts are in order and the end of the picture follows.
std::optional<EntropyData> read_entropy_data(std::string_view bytes, std::size_t begin);

/// Decodes a scan row by row of MCUs.
class JpegScan {
 public:
  JpegScan(const JpegFrame& frame, EntropyData data);

  /// The next row, one CoefficientRows per component; false: damaged.
  bool read_row(std::vector<CoefficientRows>& rows);
  std::int64_t mcus_across() const { return mcus_across_; }
  /// False if there is less data than so many blocks take at least: a header may promise anything.
  bool may_hold_all() const;
  /// True if nothing is left after the last row.
  bool at_end() const { return segment_ == data_.ends.size() && segment_is_used_up(); }

 private:
  struct Channel {
    int horizontal, vertical;
    const HuffmanTable *dc, *ac;
    std::uint32_t last_dc;
  };
  bool start_segment();
  bool segment_is_used_up() const;
  bool read_block(Channel& channel, const CoefficientRows& rows, std::int16_t* to);

  EntropyData data_;
  std::array<std::unique_ptr<HuffmanTable>, 8> tables_;  ///< four of either kind
  std::vector<Channel> channels_;
  std::int64_t mcus_across_, mcus_down_, restart_interval_;
  std::int64_t until_restart_ = 0;
  std::size_t segment_ = 0;  ///< how many were begun
  BitReader bits_;
};

}  // namespace effnetv2
