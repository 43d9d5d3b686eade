#include "effnetv2/run/event_file.h"

#include <algorithm>
#include <fstream>
#include <vector>

#include "effnetv2/core/crc32.h"
#include "effnetv2/run/wire.h"

namespace effnetv2 {
namespace {

/// TFRecord stores its checksums turned and shifted, so that a record within a record is not mistaken for one.
std::uint32_t masked(std::uint32_t crc) {
  return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

}  // namespace

std::string frame_record(std::string_view payload) {
  std::string record;
  record.reserve(payload.size() + 16);
  append_little_endian(record, static_cast<std::uint64_t>(payload.size()));
  append_little_endian(record, masked(crc32c(record)));
  record += payload;
  append_little_endian(record, masked(crc32c(payload)));
  return record;
}

bool EventFile::holds(const std::filesystem::path& path, const Position& keep) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> buffer(1 << 20);
  std::int64_t left = keep.bytes;
  std::uint32_t crc = 0;
  while (file && left > 0) {
    file.read(buffer.data(), std::min<std::int64_t>(left, static_cast<std::int64_t>(buffer.size())));
    const auto got = file.gcount();
    crc = crc32c({buffer.data(), static_cast<std::size_t>(got)}, crc);
    left -= got;
  }
  return left == 0 && crc == keep.crc;
}

EventFile::EventFile(const std::filesystem::path& path, const Position& keep)
    : file_(path, keep.bytes), position_(keep) {}

void EventFile::append(std::string_view records) {
  file_.append(records);
  position_.bytes += static_cast<std::int64_t>(records.size());
  position_.crc = crc32c(records, position_.crc);
}

EventFile::Position EventFile::sync() {
  file_.sync();
  return position_;
}

}  // namespace effnetv2
