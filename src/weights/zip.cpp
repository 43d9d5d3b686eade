#include "zip.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <type_traits>
#include <unordered_set>

#include "effnetv2/core/crc32.h"
#include "effnetv2/core/text.h"

#include "defect.h"

namespace effnetv2 {
namespace {

static_assert(std::endian::native == std::endian::little, "zip is little-endian and read as it lies");

constexpr std::uint32_t kLocalSignature = 0x04034b50, kCentralSignature = 0x02014b50, kEndSignature = 0x06054b50;
constexpr std::uint32_t kEnd64Signature = 0x06064b50, kLocator64Signature = 0x07064b50;
constexpr std::size_t kLocalSize = 30, kCentralSize = 46, kEndSize = 22, kEnd64Size = 56, kLocator64Size = 20;
constexpr std::size_t kMaxComment = 0xFFFF;
constexpr std::uint16_t kZip64Tag = 1;
constexpr std::uint32_t kIn64 = 0xFFFFFFFF;  ///< the number stands in a ZIP64 field
constexpr std::uint16_t kUtf8 = 0x0800, kEncrypted = 0x0001;
constexpr std::size_t kAlignment = 64;

/// A number at a place that has been checked to be inside.
template <typename T>
T number_at(std::string_view bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

/// Whether [offset, offset + size) lies in a file of `total` bytes.
bool lies_in(std::uint64_t offset, std::uint64_t size, std::uint64_t total) {
  return offset <= total && size <= total - offset;
}

struct Directory {
  std::uint64_t offset = 0, size = 0, entries = 0;
};

std::size_t find_end(std::string_view file) {
  if (file.size() >= kEndSize) {
    const std::size_t last = file.size() - kEndSize;
    const std::size_t first = last > kMaxComment ? last - kMaxComment : 0;
    for (std::size_t at = last + 1; at-- > first;) {
      if (number_at<std::uint32_t>(file, at) == kEndSignature &&
          at + kEndSize + number_at<std::uint16_t>(file, at + 20) == file.size()) {
        return at;
      }
    }
  }
  throw Defect{"it has no end of a zip directory; it was cut off"};
}

Directory find_directory(std::string_view file) {
  const std::size_t end = find_end(file);
  Directory directory{number_at<std::uint32_t>(file, end + 16), number_at<std::uint32_t>(file, end + 12),
                      number_at<std::uint16_t>(file, end + 10)};
  std::uint64_t limit = end;
  if (end >= kLocator64Size && number_at<std::uint32_t>(file, end - kLocator64Size) == kLocator64Signature) {
    const auto at = number_at<std::uint64_t>(file, end - kLocator64Size + 8);
    if (!lies_in(at, kEnd64Size, end) || number_at<std::uint32_t>(file, at) != kEnd64Signature) {
      throw Defect{"its ZIP64 directory end is not where it should be"};
    }
    directory = {number_at<std::uint64_t>(file, at + 48), number_at<std::uint64_t>(file, at + 40),
                 number_at<std::uint64_t>(file, at + 32)};
    limit = at;
  }
  if (!lies_in(directory.offset, directory.size, limit)) {
    throw Defect{"its zip directory of " + std::to_string(directory.size) + " bytes at " +
                 std::to_string(directory.offset) + " does not lie in the file"};
  }
  if (directory.entries > directory.size / kCentralSize) {
    throw Defect{"its zip directory cannot hold " + std::to_string(directory.entries) + " entries in " +
                 std::to_string(directory.size) + " bytes"};
  }
  return directory;
}

/// What the directory says of one file.
struct Listed {
  std::string_view name;
  std::uint64_t compressed = 0, size = 0, offset = 0;
  std::uint32_t crc = 0;
  bool stored = true;
};

/// Numbers that did not fit come in this order in the ZIP64 field.
void read_zip64(std::string_view extra, Listed& entry) {
  std::array<std::uint64_t*, 3> wanted{&entry.size, &entry.compressed, &entry.offset};
  while (extra.size() >= 4) {
    const auto tag = number_at<std::uint16_t>(extra, 0);
    const std::size_t length = number_at<std::uint16_t>(extra, 2);
    if (length > extra.size() - 4) {
      break;
    }
    if (tag == kZip64Tag) {
      std::size_t at = 4;
      for (std::uint64_t* number : wanted) {
        if (*number == kIn64) {
          if (at + 8 > 4 + length) {
            throw Defect{"the ZIP64 numbers of " + in_quotes(entry.name) + " are missing"};
          }
          *number = number_at<std::uint64_t>(extra, at);
          at += 8;
        }
      }
      return;
    }
    extra.remove_prefix(4 + length);
  }
}

std::string_view bytes_of(std::string_view file, const Listed& entry, std::uint64_t limit) {
  if (!lies_in(entry.offset, kLocalSize, limit) || number_at<std::uint32_t>(file, entry.offset) != kLocalSignature) {
    throw Defect{"the entry " + in_quotes(entry.name) + " is not where the zip directory says"};
  }
  const std::uint64_t names = std::uint64_t{number_at<std::uint16_t>(file, entry.offset + 26)} +
                              number_at<std::uint16_t>(file, entry.offset + 28);
  const std::uint64_t begin = entry.offset + kLocalSize + names;
  if ((entry.stored && entry.size != entry.compressed) || !lies_in(begin, entry.compressed, limit)) {
    throw Defect{"the entry " + in_quotes(entry.name) + " of " + std::to_string(entry.size) +
                 " bytes does not lie in the file"};
  }
  if (file.substr(entry.offset + kLocalSize, entry.name.size()) != entry.name) {
    throw Defect{"the entry " + in_quotes(entry.name) + " has another name in its own header"};
  }
  return file.substr(begin, entry.compressed);
}

/// One entry of the directory, which is cut off from `rest`.
Listed take_listed(std::string_view& rest) {
  if (rest.size() < kCentralSize || number_at<std::uint32_t>(rest, 0) != kCentralSignature) {
    throw Defect{"its zip directory is damaged"};
  }
  const auto flags = number_at<std::uint16_t>(rest, 8);
  const auto method = number_at<std::uint16_t>(rest, 10);
  const std::size_t name_size = number_at<std::uint16_t>(rest, 28);
  const std::size_t extra_size = number_at<std::uint16_t>(rest, 30);
  const std::size_t whole = kCentralSize + name_size + extra_size + number_at<std::uint16_t>(rest, 32);
  if (whole > rest.size()) {
    throw Defect{"its zip directory is damaged"};
  }
  Listed entry{rest.substr(kCentralSize, name_size), number_at<std::uint32_t>(rest, 20),
               number_at<std::uint32_t>(rest, 24), number_at<std::uint32_t>(rest, 42),
               number_at<std::uint32_t>(rest, 16)};
  entry.stored = method == 0 && (flags & kEncrypted) == 0;
  read_zip64(rest.substr(kCentralSize + name_size, extra_size), entry);
  rest.remove_prefix(whole);
  return entry;
}

template <typename T>
void put(std::string& out, std::type_identity_t<T> value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::uint32_t low(std::uint64_t number) {
  return number >= kIn64 ? kIn64 : static_cast<std::uint32_t>(number);
}

}  // namespace

bool ZipEntry::is_whole() const noexcept {
  return crc32(bytes) == crc;
}

std::vector<ZipEntry> read_zip(std::string_view file) {
  const Directory directory = find_directory(file);
  std::string_view rest = file.substr(directory.offset, directory.size);
  std::vector<ZipEntry> entries;
  std::unordered_set<std::string_view> names;
  for (std::uint64_t i = 0; i < directory.entries; ++i) {
    const Listed listed = take_listed(rest);
    if (!names.insert(listed.name).second) {
      throw Defect{"it has two entries named " + in_quotes(listed.name)};
    }
    entries.push_back({std::string(listed.name), bytes_of(file, listed, directory.offset), listed.crc, listed.stored});
  }
  if (!rest.empty()) {
    throw Defect{"its zip directory is larger than its entries"};
  }
  std::vector<std::string_view> order;
  for (const auto& entry : entries) {
    order.push_back(entry.bytes);
  }
  std::sort(order.begin(), order.end(), [](auto a, auto b) { return a.data() < b.data(); });
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (order[i - 1].data() + order[i - 1].size() > order[i].data()) {
      throw Defect{"two of its zip entries overlap"};
    }
  }
  return entries;
}

void ZipWriter::write(std::string_view bytes) {
  sink_(bytes);
  offset_ += bytes.size();
}

void ZipWriter::add(const std::string& name, std::string_view bytes) {
  if (bytes.size() >= kIn64) {
    throw Defect{"the tensor of entry " + in_quotes(name) + " is larger than 4 GiB; use .safetensors"};
  }
  const Written entry{name, offset_, bytes.size(), crc32(bytes)};
  const std::size_t before = kLocalSize + name.size() + 4;
  const std::size_t padding = (kAlignment - (offset_ + before) % kAlignment) % kAlignment;
  std::string header;
  put<std::uint32_t>(header, kLocalSignature);
  put<std::uint16_t>(header, 20);  // version that can read it
  put<std::uint16_t>(header, kUtf8);
  put<std::uint16_t>(header, 0);  // stored
  put<std::uint32_t>(header, 0);  // no time
  put<std::uint32_t>(header, entry.crc);
  put<std::uint32_t>(header, static_cast<std::uint32_t>(entry.size));
  put<std::uint32_t>(header, static_cast<std::uint32_t>(entry.size));
  put<std::uint16_t>(header, static_cast<std::uint16_t>(name.size()));
  put<std::uint16_t>(header, static_cast<std::uint16_t>(4 + padding));
  header += name;
  header += "FB";  // the tag that PyTorch pads with
  put<std::uint16_t>(header, static_cast<std::uint16_t>(padding));
  header.append(padding, 'Z');
  write(header);
  write(bytes);
  entries_.push_back(entry);
}

void ZipWriter::finish() {
  const std::uint64_t begin = offset_;
  for (const auto& entry : entries_) {
    std::string extra;
    if (entry.offset >= kIn64) {
      put<std::uint16_t>(extra, kZip64Tag);
      put<std::uint16_t>(extra, 8);
      put<std::uint64_t>(extra, entry.offset);
    }
    std::string header;
    put<std::uint32_t>(header, kCentralSignature);
    put<std::uint16_t>(header, 45);  // version that made it
    put<std::uint16_t>(header, extra.empty() ? 20 : 45);
    put<std::uint16_t>(header, kUtf8);
    put<std::uint16_t>(header, 0);
    put<std::uint32_t>(header, 0);
    put<std::uint32_t>(header, entry.crc);
    put<std::uint32_t>(header, low(entry.size));
    put<std::uint32_t>(header, low(entry.size));
    put<std::uint16_t>(header, static_cast<std::uint16_t>(entry.name.size()));
    put<std::uint16_t>(header, static_cast<std::uint16_t>(extra.size()));
    header.append(10, '\0');  // comment, disk, attributes
    put<std::uint32_t>(header, low(entry.offset));
    header += entry.name + extra;
    write(header);
  }
  const std::uint64_t size = offset_ - begin;
  const std::uint64_t count = entries_.size();
  std::string end;
  if (begin >= kIn64 || size >= kIn64 || count >= 0xFFFF) {
    put<std::uint32_t>(end, kEnd64Signature);
    put<std::uint64_t>(end, kEnd64Size - 12);
    put<std::uint16_t>(end, 45);
    put<std::uint16_t>(end, 45);
    put<std::uint64_t>(end, 0);  // disks
    put<std::uint64_t>(end, count);
    put<std::uint64_t>(end, count);
    put<std::uint64_t>(end, size);
    put<std::uint64_t>(end, begin);
    put<std::uint32_t>(end, kLocator64Signature);
    put<std::uint32_t>(end, 0);
    put<std::uint64_t>(end, offset_);
    put<std::uint32_t>(end, 1);
  }
  put<std::uint32_t>(end, kEndSignature);
  put<std::uint32_t>(end, 0);  // disks
  put<std::uint16_t>(end, static_cast<std::uint16_t>(std::min<std::uint64_t>(count, 0xFFFF)));
  put<std::uint16_t>(end, static_cast<std::uint16_t>(std::min<std::uint64_t>(count, 0xFFFF)));
  put<std::uint32_t>(end, low(size));
  put<std::uint32_t>(end, low(begin));
  put<std::uint16_t>(end, 0);  // no comment
  write(end);
}

}  // namespace effnetv2
