#include "jpeg_scan.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace effnetv2 {
namespace {

constexpr std::array<std::uint8_t, 64> kZigzag{0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,   //
                                               12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6,  7,  14, 21, 28,  //
                                               35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,  //
                                               58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

/// Damaged data may lead this far beyond its end before that is seen: at the end of an MCU.
constexpr std::size_t kPadding = std::size_t{kMostBlocksOfMcu} * 64 * kLongestStep / 8 + 64;

}  // namespace

std::size_t zigzag(int u, int v) {
  return static_cast<std::size_t>(std::ranges::find(kZigzag, 8 * v + u) - kZigzag.begin());
}

CoefficientRows::CoefficientRows(std::ptrdiff_t blocks, int block_rows, int x, int y)
    : row_blocks(blocks), plane(blocks * block_rows) {
  const auto kept = static_cast<std::size_t>(x) * static_cast<std::size_t>(y);
  const auto stride = static_cast<std::size_t>(plane);
  values.resize((kept + 1) * stride);
  offsets.fill(static_cast<std::uint32_t>(kept * stride));
  for (std::uint32_t k = 0; k < kZigzag.size(); ++k) {
    const int u = kZigzag[k] % 8, v = kZigzag[k] / 8;
    if (u < x && v < y) {
      offsets[k] = static_cast<std::uint32_t>(v * x + u) * static_cast<std::uint32_t>(stride);
      last_kept = k;
    }
  }
}

std::optional<EntropyData> read_entropy_data(std::string_view bytes, std::size_t begin) {
  const std::size_t size = bytes.size() - begin;
  EntropyData data{std::make_unique_for_overwrite<std::uint8_t[]>(size + kPadding), {}};
  std::uint8_t* to = data.bytes.get();
  const char* from = bytes.data() + begin;
  const char* const end = bytes.data() + bytes.size();
  while (const auto* marker = static_cast<const char*>(std::memchr(from, 0xFF, static_cast<std::size_t>(end - from)))) {
    to = std::copy(from, marker, to);
    do {
      ++marker;
    } while (marker != end && *marker == '\xFF');  // fill bytes
    if (marker == end) {
      break;
    }
    from = marker + 1;
    const auto code = static_cast<unsigned char>(*marker);
    if (code == 0x00) {
      *to++ = 0xFF;
      continue;
    }
    data.ends.push_back(static_cast<std::size_t>(to - data.bytes.get()));
    if (code == 0xD9) {
      std::memset(to, 0, kPadding);
      return data;
    }
    if (code != 0xD0 + (data.ends.size() - 1) % 8) {
      break;
    }
  }
  return std::nullopt;
}

JpegScan::JpegScan(const JpegFrame& frame, EntropyData data)
    : data_(std::move(data)),
      mcus_across_((frame.width - 1) / (8 * frame.horizontal) + 1),
      mcus_down_((frame.height - 1) / (8 * frame.vertical) + 1),
      restart_interval_(frame.restart_interval) {
  for (const JpegComponent& component : frame.components) {
    auto &dc = tables_[component.dc], &ac = tables_[frame.dc.size() + component.ac];
    if (!dc) {
      dc = std::make_unique<HuffmanTable>(frame.dc[component.dc], HuffmanTable::Kind::dc);
    }
    if (!ac) {
      ac = std::make_unique<HuffmanTable>(frame.ac[component.ac], HuffmanTable::Kind::ac);
    }
    channels_.push_back({component.horizontal, component.vertical, dc.get(), ac.get(), 0});
  }
}

bool JpegScan::may_hold_all() const {
  constexpr std::int64_t kFewestBits = 2;  // of a block: a code for its mean and one for its end
  std::int64_t blocks = 0;
  for (const Channel& channel : channels_) {
    blocks += channel.horizontal * channel.vertical;
  }
  return mcus_across_ * mcus_down_ * blocks * kFewestBits <= static_cast<std::int64_t>(data_.ends.back()) * 8;
}

bool JpegScan::segment_is_used_up() const {
  const auto end = static_cast<std::int64_t>(data_.ends[segment_ - 1]) * 8;
  const std::int64_t left = end - bits_.position(data_.bytes.get());
  return left >= 0 && left < 8;
}

bool JpegScan::start_segment() {
  if (segment_ == data_.ends.size() || (segment_ > 0 && !segment_is_used_up())) {
    return false;
  }
  bits_ = {data_.bytes.get() + (segment_ == 0 ? 0 : data_.ends[segment_ - 1]), 0, 0};
  ++segment_;
  for (Channel& channel : channels_) {
    channel.last_dc = 0;
  }
  until_restart_ = restart_interval_ > 0 ? restart_interval_ : std::numeric_limits<std::int64_t>::max();
  return true;
}

bool JpegScan::read_row(std::vector<CoefficientRows>& rows) {
  for (CoefficientRows& component : rows) {
    std::ranges::fill(component.values, std::int16_t{0});
  }
  for (std::int64_t x = 0; x < mcus_across_; ++x) {
    if (until_restart_ == 0 && !start_segment()) {
      return false;
    }
    --until_restart_;
    for (std::size_t c = 0; c < channels_.size(); ++c) {
      Channel& channel = channels_[c];
      CoefficientRows& component = rows[c];
      for (int v = 0; v < channel.vertical; ++v) {
        std::int16_t* to = component.values.data() + v * component.row_blocks + x * channel.horizontal;
        for (int h = 0; h < channel.horizontal; ++h, ++to) {
          if (!read_block(channel, component, to)) {
            return false;
          }
        }
      }
    }
    if (bits_.position(data_.bytes.get()) > static_cast<std::int64_t>(data_.ends[segment_ - 1]) * 8) {
      return false;
    }
  }
  return true;
}

bool JpegScan::read_block(Channel& channel, const CoefficientRows& rows, std::int16_t* to) {
  const HuffmanTable& table = *channel.ac;
  const std::uint32_t* const offsets = rows.offsets.data();
  const std::uint32_t last_kept = rows.last_kept;
  BitReader bits = bits_;  // in registers
  bits.refill();
  const HuffmanStep difference = channel.dc->step(bits.bits);
  if (difference == 0) {
    return false;
  }
  channel.last_dc += static_cast<std::uint32_t>(value_of(difference, bits.bits));
  to[0] = static_cast<std::int16_t>(channel.last_dc);
  bits.skip(length_of(difference));

  std::uint32_t k = 0;
  const auto keep = [&] {
    const HuffmanStep step = table.step(bits.bits);
    k += advance_of(step);
    to[offsets[k]] = value_of(step, bits.bits);
    bits.skip(length_of(step));
    return step != 0;
  };
  const auto pass_over = [&] {
    const std::uint32_t steps = table.skip(bits.bits);
    if (steps != 0 && k + (steps >> 8) <= 63) [[likely]] {
      k = (steps & HuffmanTable::kSkipEnds) != 0 ? kEndOfBlock : k + (steps >> 8);
      bits.skip(steps & 63);
      return true;
    }
    const HuffmanStep step = table.step(bits.bits);
    k += advance_of(step);
    bits.skip(length_of(step));
    return step != 0;
  };
  // two steps from one refill to the next
  while (k < last_kept) {
    if (!keep()) {
      return false;
    }
    bits.refill();
    if (k < last_kept && !keep()) {
      return false;
    }
  }
  while (k < 63) {
    bits.refill();
    if (!pass_over() || (k < 63 && !pass_over())) {
      return false;
    }
  }
  bits_ = bits;
  return k == 63 || k >= kEndOfBlock;
}

}  // namespace effnetv2
