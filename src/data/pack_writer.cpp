#include "pack_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"
#include "effnetv2/core/hash.h"
#include "effnetv2/core/stop.h"
#include "effnetv2/core/text.h"

namespace effnetv2 {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;

std::string text_bound(std::uint64_t bytes) {
  return human_bytes(static_cast<double>(bytes));
}

std::uint64_t free_bytes(const std::filesystem::path& folder) {
  std::error_code failed;
  const auto space = std::filesystem::space(folder, failed);
  return failed ? UINT64_MAX : space.available;
}

/// True if all of them were there.
bool read_all(int fd, void* data, std::size_t bytes, std::uint64_t at) {
  auto* next = static_cast<unsigned char*>(data);
  while (bytes > 0) {
    const ssize_t got = ::pread(fd, next, bytes, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return false;
    }
    next += got;
    at += static_cast<std::uint64_t>(got);
    bytes -= static_cast<std::size_t>(got);
  }
  return true;
}

}  // namespace

PackedPicture::PackedPicture() : checksum(quick_checksum(nullptr, 0)) {}

PackedPicture::PackedPicture(Image image)
    : width(static_cast<std::uint32_t>(image.width)),
      height(static_cast<std::uint32_t>(image.height)),
      bytes(std::move(image.pixels)) {
  bytes.resize(pack::aligned(bytes.size()));
  checksum = quick_checksum(bytes.data(), bytes.size());
}

PackWriter::PackWriter(std::filesystem::path path, const FileList& files, std::int64_t side)
    : path_(std::move(path)),
      part_(path_.string() + ".part"),
      journal_(path_.string() + ".journal"),
      files_(files),
      side_(side) {
  std::uint64_t paths = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    paths += files.path(i).size();
  }
  index_bytes_ = files.size() * pack::kEntryBytes + pack::aligned(paths);
  part_fd_ = ::open(part_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  journal_fd_ = part_fd_ < 0 ? -1 : ::open(journal_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (journal_fd_ < 0) {
    const int code = errno;
    if (part_fd_ >= 0) {
      ::close(part_fd_);
    }
    errno = code;
    fail("open");
  }
}

PackWriter::~PackWriter() {
  ::close(part_fd_);
  ::close(journal_fd_);
}

void PackWriter::fail(const char* action) const {
  const int code = errno;
  std::string hint;
  if (code == ENOSPC || code == EDQUOT || code == EFBIG) {
    const auto left = static_cast<double>(files_.size() - done_) / static_cast<double>(std::max<std::size_t>(done_, 1));
    const auto needed = static_cast<double>(end_ - pack::kHeaderBytes) * left + static_cast<double>(index_bytes_);
    hint = done_ == 0 ? "" : ": about " + human_bytes(needed) + " more are needed";
    hint += ", " + text_bound(free_bytes(part_.parent_path())) +
            " are free; free some space and start it again, which keeps what is done, or set data.cache_dir";
  } else if (code == EACCES || code == EPERM || code == EROFS) {
    hint = "; check the permissions, or set data.cache_dir";
  }
  throw EnvironmentError(printable(part_.string()) + ": cannot " + action + ": " + std::strerror(code) + hint);
}

void PackWriter::check_room(std::uint64_t bytes_left) const {
  const auto folder = part_.parent_path();
  const std::uint64_t free = free_bytes(folder), needed = bytes_left + index_bytes_;
  if (needed > free) {
    throw EnvironmentError(printable(folder.string()) + ": the pack needs " + text_bound(needed) + " (" +
                           std::to_string(needed) + " bytes), only " + text_bound(free) +
                           " are free; free some space, or set data.cache_dir to a folder on another disk");
  }
}

std::uint64_t PackWriter::index_bytes() const noexcept {
  return index_bytes_;
}

void PackWriter::write(int fd, const void* data, std::size_t bytes, std::uint64_t at) const {
  const auto* next = static_cast<const unsigned char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::pwrite(fd, next, bytes, static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written < 0) {
      fail("write");
    }
    next += written;
    at += static_cast<std::uint64_t>(written);
    bytes -= static_cast<std::size_t>(written);
  }
}

/// The next entry as far as it is known before its picture is.
pack::Entry PackWriter::expected(std::size_t i) const {
  pack::Entry entry;
  entry.offset = end_;
  entry.file_bytes = files_.bytes(i);
  entry.modified = files_.modified(i);
  entry.path_at = path_at_;
  entry.path_bytes = static_cast<std::uint32_t>(files_.path(i).size());
  return entry;
}

bool PackWriter::is_whole(const pack::Entry& entry, std::vector<std::uint8_t>& buffer) const {
  const auto side = static_cast<std::uint32_t>(side_);
  const bool sized = entry.bad()  ? entry.height == 0
                     : side_ == 0 ? entry.pixel_bytes() <= 3 * static_cast<std::uint64_t>(kMaxPixels)
                                  : entry.width == side && entry.height == side;
  if (!sized) {
    return false;
  }
  buffer.resize(entry.end() - entry.offset);
  return read_all(part_fd_, buffer.data(), buffer.size(), entry.offset) &&
         quick_checksum(buffer.data(), buffer.size()) == entry.checksum;
}

bool PackWriter::resume(bool bad_too, const ProgressFn& progress) {
  std::vector<std::uint8_t> buffer;
  while (done_ < files_.size()) {
    if (stop_requested()) {
      return false;
    }
    pack::EntryBytes bytes;
    if (!read_all(journal_fd_, bytes.data(), bytes.size(), done_ * pack::kEntryBytes)) {
      break;
    }
    const auto entry = pack::decode_entry(bytes);
    if (!entry || (entry->bad() && !bad_too)) {
      break;
    }
    pack::Entry wanted = expected(done_);
    wanted.width = entry->width;
    wanted.height = entry->height;
    wanted.checksum = entry->checksum;
    if (wanted != *entry || !is_whole(*entry, buffer)) {
      break;
    }
    end_ = entry->end();
    path_at_ += entry->path_bytes;
    bad_ += entry->bad() ? 1 : 0;
    ++done_;
    if (progress && done_ % 256 == 0) {
      progress(static_cast<std::int64_t>(done_), static_cast<std::int64_t>(files_.size()));
    }
  }
  if (::ftruncate(journal_fd_, static_cast<off_t>(done_ * pack::kEntryBytes)) != 0 ||
      ::ftruncate(part_fd_, static_cast<off_t>(end_)) != 0) {
    fail("cut");
  }
  return true;
}

void PackWriter::append(std::span<const PackedPicture> pictures) {
  const std::uint64_t begin = end_, path_at = path_at_;
  const std::size_t first = done_;
  std::vector<unsigned char> entries;
  try {
    for (const auto& picture : pictures) {
      pack::Entry entry = expected(done_);
      entry.checksum = picture.checksum;
      entry.width = picture.width;
      entry.height = picture.height;
      write(part_fd_, picture.bytes.data(), picture.bytes.size(), end_);
      const auto bytes = pack::encode(entry);
      entries.insert(entries.end(), bytes.begin(), bytes.end());
      end_ = entry.end();
      path_at_ += entry.path_bytes;
      ++done_;
    }
    // so that the sync at the end finds little left to write
    ::sync_file_range(part_fd_, static_cast<off64_t>(begin), static_cast<off64_t>(end_ - begin), SYNC_FILE_RANGE_WRITE);
    write(journal_fd_, entries.data(), entries.size(), first * pack::kEntryBytes);
  } catch (...) {
    end_ = begin;
    path_at_ = path_at;
    done_ = first;
    throw;
  }
  bad_ += std::ranges::count_if(pictures, [](const PackedPicture& picture) { return picture.width == 0; });
}

void PackWriter::finish(const std::string& text) {
  pack::Header header;
  header.pictures = files_.size();
  header.entries_at = end_;
  header.paths_bytes = path_at_;
  header.text_bytes = text.size();
  header.side = static_cast<std::uint64_t>(side_);

  std::string piece;
  std::uint64_t at = header.entries_at;
  const auto flush = [&] {
    write(part_fd_, piece.data(), piece.size(), at);
    at += piece.size();
    piece.clear();
  };
  for (std::uint64_t from = 0; from < header.pictures * pack::kEntryBytes;) {
    piece.resize(std::min<std::uint64_t>(kPiece, header.pictures * pack::kEntryBytes - from));
    if (!read_all(journal_fd_, piece.data(), piece.size(), from)) {
      fail("read the journal of");
    }
    from += piece.size();
    flush();
  }
  for (std::size_t i = 0; i < files_.size(); ++i) {
    piece += files_.path(i);
    if (piece.size() >= kPiece) {
      flush();
    }
  }
  piece.append(pack::aligned(path_at_) - path_at_, '\0');
  piece += text;
  piece.append(pack::aligned(text.size()) - text.size(), '\0');
  flush();
  header.file_bytes = at;

  constexpr std::uint64_t kPage = 4096;
  const std::uint64_t map_at = header.entries_at / kPage * kPage;
  void* map = ::mmap(nullptr, at - map_at, PROT_READ, MAP_SHARED, part_fd_, static_cast<off_t>(map_at));
  if (map == MAP_FAILED) {
    fail("map");
  }
  header.index_checksum =
      quick_checksum(static_cast<const char*>(map) + (header.entries_at - map_at), at - header.entries_at);
  ::munmap(map, at - map_at);
  const auto bytes = pack::encode(header);
  write(part_fd_, bytes.data(), bytes.size(), 0);
  if (::fsync(part_fd_) != 0) {
    fail("sync");
  }
  if (::rename(part_.c_str(), path_.c_str()) != 0) {
    fail("rename");
  }
  sync_directory(path_.parent_path());
  ::unlink(journal_.c_str());
}

}  // namespace effnetv2
