#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace effnetv2 {

struct ImageFile {
  std::string path;        ///< relative to the root, '/' separated
  std::int64_t label = 0;  ///< index into classes
  std::uint64_t bytes = 0;
  std::int64_t modified = 0;  ///< nanoseconds since 1970
};

/// Image files by the million: 24 bytes each and its path, which lists made of one another share. A copy can be used in
/// another thread than the original.
class FileList {
 public:
  class Iterator;

  FileList() = default;
  FileList(std::initializer_list<ImageFile> files);
  FileList(const FileList& other);
  FileList(FileList&& other) noexcept = default;
  FileList& operator=(const FileList& other);
  FileList& operator=(FileList&& other) noexcept = default;

  std::size_t size() const noexcept { return entries_.size(); }
  bool empty() const noexcept { return entries_.empty(); }
  /// Copied out; the functions below copy nothing.
  ImageFile operator[](std::size_t i) const;
  std::string_view path(std::size_t i) const noexcept { return text(entries_[i]); }
  std::int64_t label(std::size_t i) const noexcept { return entries_[i].label; }
  std::uint64_t bytes(std::size_t i) const noexcept { return entries_[i].bytes; }
  std::int64_t modified(std::size_t i) const noexcept { return entries_[i].modified; }
  Iterator begin() const noexcept;
  Iterator end() const noexcept;

  /// Throws DataError if there are more than four billion bytes of paths, std::invalid_argument for a label that is
  /// negative or above 4294967295.
  void add(std::string_view path, std::int64_t label, std::uint64_t bytes, std::int64_t modified = 0);
  void push_back(const ImageFile& file) { add(file.path, file.label, file.bytes, file.modified); }
  void append(const FileList& other);
  void set_label(std::size_t i, std::int64_t label);
  void reserve(std::size_t files) { entries_.reserve(files); }
  /// Those of true `keep`, one for each file, in their order.
  FileList where(const std::vector<bool>& keep) const;
  /// In byte order of the paths.
  void sort_by_path();

 private:
  struct Entry {
    std::uint32_t name;  ///< chunk and place in it
    std::uint32_t label;
    std::uint64_t bytes;
    std::int64_t modified;
  };
  /// Paths, each ended by a zero. Written once, before any copy of the list can see it.
  using Chunk = std::shared_ptr<char[]>;
  static constexpr std::size_t kChunkBits = 20;

  std::string_view text(const Entry& entry) const noexcept {
    return chunks_[entry.name >> kChunkBits].get() + (entry.name & ((1U << kChunkBits) - 1));
  }
  std::uint32_t keep(std::string_view path);

  std::vector<Chunk> chunks_;
  std::size_t used_ = 0, room_ = 0;  ///< of the last chunk, if it is this list's own to write to
  std::vector<Entry> entries_;
};

/// Gives files by value.
class FileList::Iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = ImageFile;
  using difference_type = std::ptrdiff_t;
  using reference = ImageFile;
  using pointer = void;

  Iterator() = default;
  Iterator(const FileList* list, std::size_t at) : list_(list), at_(at) {}
  ImageFile operator*() const { return (*list_)[at_]; }
  Iterator& operator++() {
    ++at_;
    return *this;
  }
  Iterator operator++(int) {
    Iterator before = *this;
    ++at_;
    return before;
  }
  bool operator==(const Iterator& other) const = default;

 private:
  const FileList* list_ = nullptr;
  std::size_t at_ = 0;
};

inline FileList::Iterator FileList::begin() const noexcept {
  return {this, 0};
}
inline FileList::Iterator FileList::end() const noexcept {
  return {this, size()};
}

/// One number for paths, sizes and times in whatever order, labels left out. Those of lists without a common file add
/// up.
std::uint64_t list_hash(const FileList& files);

}  // namespace effnetv2
