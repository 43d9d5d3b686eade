#include "effnetv2/data/file_list.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "effnetv2/core/error.h"
#include "effnetv2/core/hash.h"
#include "effnetv2/core/text.h"

namespace effnetv2 {
namespace {

constexpr std::size_t kFirstChunk = 4096;

std::uint32_t checked_label(std::int64_t label) {
  if (label < 0 || label > std::numeric_limits<std::uint32_t>::max()) {
    throw std::invalid_argument("FileList: a label of " + std::to_string(label));
  }
  return static_cast<std::uint32_t>(label);
}

}  // namespace

FileList::FileList(std::initializer_list<ImageFile> files) {
  for (const auto& file : files) {
    push_back(file);
  }
}

FileList::FileList(const FileList& other) : chunks_(other.chunks_), entries_(other.entries_) {}

FileList& FileList::operator=(const FileList& other) {
  if (this != &other) {
    *this = FileList(other);
  }
  return *this;
}

ImageFile FileList::operator[](std::size_t i) const {
  return {std::string(path(i)), label(i), bytes(i), modified(i)};
}

std::uint32_t FileList::keep(std::string_view path) {
  const std::size_t needed = path.size() + 1;
  if (chunks_.empty() || needed > room_ - used_) {
    constexpr std::size_t kLargest = std::size_t{1} << kChunkBits;
    const std::size_t size = std::max(needed, std::min(kLargest, std::max(kFirstChunk, 2 * room_)));
    if (size > kLargest || chunks_.size() == std::size_t{1} << (32 - kChunkBits)) {
      throw DataError(printable(path.substr(0, 100)) + ": the data set has too many files, or too long paths");
    }
    chunks_.push_back(std::make_shared_for_overwrite<char[]>(size));
    room_ = size;
    used_ = 0;
  }
  char* place = chunks_.back().get() + used_;
  std::memcpy(place, path.data(), path.size());
  place[path.size()] = '\0';
  const auto name = static_cast<std::uint32_t>((chunks_.size() - 1) << kChunkBits | used_);
  used_ += needed;
  return name;
}

void FileList::add(std::string_view path, std::int64_t label, std::uint64_t bytes, std::int64_t modified) {
  entries_.push_back({keep(path), checked_label(label), bytes, modified});
}

void FileList::append(const FileList& other) {
  if (chunks_ == other.chunks_) {
    entries_.insert(entries_.end(), other.entries_.begin(), other.entries_.end());
    return;
  }
  for (const auto& entry : other.entries_) {
    entries_.push_back({keep(other.text(entry)), entry.label, entry.bytes, entry.modified});
  }
}

void FileList::set_label(std::size_t i, std::int64_t label) {
  entries_[i].label = checked_label(label);
}

FileList FileList::where(const std::vector<bool>& keep) const {
  FileList kept;
  kept.chunks_ = chunks_;
  kept.entries_.reserve(static_cast<std::size_t>(std::ranges::count(keep, true)));
  for (std::size_t i = 0; i < size(); ++i) {
    if (keep[i]) {
      kept.entries_.push_back(entries_[i]);
    }
  }
  return kept;
}

void FileList::sort_by_path() {
  std::ranges::sort(entries_, [this](const Entry& a, const Entry& b) { return text(a) < text(b); });
}

std::uint64_t list_hash(const FileList& files) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    sum +=
        Fingerprint().add(files.path(i)).add(files.bytes(i)).add(static_cast<std::uint64_t>(files.modified(i))).value();
  }
  return sum;
}

}  // namespace effnetv2
