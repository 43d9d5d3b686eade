#include "effnetv2/data/pack_reader.h"

#include <atomic>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "effnetv2/core/error.h"
#include "effnetv2/core/hash.h"
#include "effnetv2/core/mapped_file.h"
#include "effnetv2/core/text.h"

#include "pack_format.h"

namespace effnetv2 {

using pack::Entry;
using pack::kEntryBytes;

struct PackReader::Impl {
  std::filesystem::path path;
  int fd = -1;
  std::optional<MappedFile> file;
  const unsigned char* map = nullptr;
  pack::Header header;
  std::string root, form;
  std::unique_ptr<std::atomic<bool>[]> checked;

  explicit Impl(std::filesystem::path path_) : path(std::move(path_)) {}
  ~Impl() {
    if (fd >= 0) {
      ::close(fd);
    }
  }

  [[noreturn]] void damaged(const std::string& what) const {
    throw DataError(printable(path.string()) + ": " + what +
                    "; delete it, or make it anew with effnetv2 data pack --verify");
  }
  [[noreturn]] void refused(const char* action) const {
    throw EnvironmentError(printable(path.string()) + ": cannot " + action + ": " + std::strerror(errno));
  }

  void open() {
    fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat info {};
    if (fd < 0 || ::fstat(fd, &info) != 0) {
      refused("open");
    }
    if (!S_ISREG(info.st_mode)) {
      damaged("is no file, but a folder or a device");
    }
    const auto size = static_cast<std::uint64_t>(info.st_size);
    pack::HeaderBytes first;
    const ssize_t got = ::pread(fd, first.data(), first.size(), 0);
    if (got < 0) {
      refused("read");
    }
    if (const auto defect = pack::decode({first.data(), static_cast<std::size_t>(got)}, size, header)) {
      damaged(*defect);
    }
    file.emplace(fd, size, path);
    map = file->data();
  }

  void check_index() const {
    const auto* index = map + header.entries_at;
    const std::uint64_t from = header.entries_at / kPage * kPage;
    ::madvise(const_cast<unsigned char*>(map + from), header.file_bytes - from, MADV_WILLNEED);
    if (quick_checksum(index, header.file_bytes - header.entries_at) != header.index_checksum) {
      damaged("is damaged: its index's checksum does not fit");
    }
    // what a checksum cannot rule out: a file made to mislead
    std::string_view before;
    for (std::uint32_t i = 0; i < header.pictures; ++i) {
      const Entry entry = this->entry(i);
      const bool inside = entry.path_bytes <= header.paths_bytes &&
                          entry.path_at <= header.paths_bytes - entry.path_bytes &&
                          entry.offset >= pack::kHeaderBytes && entry.offset <= header.entries_at &&
                          entry.width <= kMaxPixels && entry.height <= kMaxPixels &&
                          (entry.width == 0) == (entry.height == 0) && entry.pixel_bytes() <= 3 * kMaxPixels &&
                          pack::aligned(entry.pixel_bytes()) <= header.entries_at - entry.offset;
      const bool sized = entry.bad() || header.side == 0 || (entry.width == header.side && entry.height == header.side);
      if (!inside || !sized || (i > 0 && file_of(entry) <= before)) {
        damaged("is damaged: the entry of its picture " + std::to_string(i) + " makes no sense");
      }
      before = file_of(entry);
    }
  }

  void read_text() {
    try {
      const auto* text = reinterpret_cast<const char*>(map + header.text_at());
      const auto document = nlohmann::json::parse(std::string_view(text, header.text_bytes));
      root = document.at("root").get<std::string>();
      form = document.at("form").get<std::string>();
    } catch (const nlohmann::json::exception&) {
      damaged("is damaged: it does not say what it was made of");
    }
  }

  Entry entry(std::uint32_t i) const {
    const auto* bytes = map + header.entries_at + std::uint64_t{i} * kEntryBytes;
    const auto entry = pack::decode_entry(std::span<const unsigned char, kEntryBytes>(bytes, kEntryBytes));
    if (!entry) {
      damaged("is damaged: the checksum of entry " + std::to_string(i) + " does not fit");
    }
    return *entry;
  }

  std::string_view file_of(const Entry& entry) const {
    return {reinterpret_cast<const char*>(map + header.paths_at() + entry.path_at), entry.path_bytes};
  }

  /// Past the map, whose pages a failing disk would end the process for.
  void read_from_disk(const Entry& entry, std::vector<std::uint8_t>& to) const {
    to.resize(pack::aligned(entry.pixel_bytes()));
    for (std::size_t done = 0; done < to.size();) {
      const ssize_t got = ::pread(fd, to.data() + done, to.size() - done, static_cast<off_t>(entry.offset + done));
      if (got < 0 && errno == EINTR) {
        continue;
      }
      if (got <= 0) {
        damaged("cannot be read: " + std::string(got == 0 ? "it was cut short" : std::strerror(errno)));
      }
      done += static_cast<std::size_t>(got);
    }
  }

  static constexpr std::uint64_t kPage = 4096;
};

PackReader::PackReader(const std::filesystem::path& path) : impl_(std::make_unique<Impl>(path)) {
  impl_->open();
  if (impl_->header.pictures > UINT32_MAX) {
    impl_->damaged("has too many pictures");
  }
  impl_->check_index();
  impl_->read_text();
  impl_->checked = std::make_unique<std::atomic<bool>[]>(size());
}

PackReader::~PackReader() = default;

const std::filesystem::path& PackReader::path() const noexcept {
  return impl_->path;
}
std::uint64_t PackReader::bytes() const noexcept {
  return impl_->header.file_bytes;
}
std::size_t PackReader::size() const noexcept {
  return impl_->header.pictures;
}
std::int64_t PackReader::side() const noexcept {
  return static_cast<std::int64_t>(impl_->header.side);
}
const std::string& PackReader::root() const noexcept {
  return impl_->root;
}
const std::string& PackReader::form() const noexcept {
  return impl_->form;
}

std::optional<std::uint32_t> PackReader::find(std::string_view file, std::uint64_t bytes, std::int64_t modified,
                                              std::uint32_t near) const {
  const auto same_file = [&](const Entry& entry) -> bool {
    return entry.file_bytes == bytes && entry.modified == modified;
  };
  std::size_t low = 0, high = size();
  if (near < high) {
    const Entry entry = impl_->entry(near);
    const int order = impl_->file_of(entry).compare(file);
    if (order == 0) {
      return same_file(entry) ? std::optional(near) : std::nullopt;
    }
    (order < 0 ? low : high) = near;
  }
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    const Entry entry = impl_->entry(static_cast<std::uint32_t>(middle));
    const int order = impl_->file_of(entry).compare(file);
    if (order == 0) {
      return same_file(entry) ? std::optional(static_cast<std::uint32_t>(middle)) : std::nullopt;
    }
    if (order < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return std::nullopt;
}

bool PackReader::bad(std::uint32_t picture) const {
  return impl_->entry(picture).bad();
}

Image PackReader::read(std::uint32_t picture) const {
  const Entry entry = impl_->entry(picture);
  Image image;
  image.width = entry.width;
  image.height = entry.height;
  if (impl_->checked[picture].load(std::memory_order_relaxed)) {
    const auto* pixels = impl_->map + entry.offset;
    image.pixels.assign(pixels, pixels + entry.pixel_bytes());
    return image;
  }
  impl_->read_from_disk(entry, image.pixels);
  if (quick_checksum(image.pixels.data(), image.pixels.size()) != entry.checksum) {
    impl_->damaged("is damaged: the checksum of " + printable(impl_->file_of(entry)) + " does not fit");
  }
  image.pixels.resize(entry.pixel_bytes());
  impl_->checked[picture].store(true, std::memory_order_relaxed);
  return image;
}

void PackReader::will_read(std::span<const std::uint32_t> pictures) const {
  for (const std::uint32_t picture : pictures) {
    const Entry entry = impl_->entry(picture);
    ::posix_fadvise(impl_->fd, static_cast<off_t>(entry.offset), static_cast<off_t>(entry.pixel_bytes()),
                    POSIX_FADV_WILLNEED);
  }
}

}  // namespace effnetv2
