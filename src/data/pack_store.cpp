#include "effnetv2/data/pack_store.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"
#include "effnetv2/core/hash.h"
#include "effnetv2/core/lock.h"
#include "effnetv2/core/stop.h"
#include "effnetv2/core/text.h"

#include "pack_writer.h"
#include "parallel.h"
#include "prepare.h"

namespace effnetv2 {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExtension = ".pack";

/// A folder's name as part of a file's.
std::string readable_name(const fs::path& root) {
  const fs::path path = fs::absolute(root).lexically_normal();
  std::string name = (path.has_filename() ? path : path.parent_path()).filename().string().substr(0, 64);
  for (char& c : name) {
    const bool plain =
        (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '.';
    c = plain ? c : '_';
  }
  return name.empty() || name.front() == '.' ? "_" + name : name;
}

std::string hash_of(const Transform& transform) {
  return Fingerprint().add(transform.form()).hex();
}

std::string hash_of(const FileList& files) {
  return Fingerprint().add(files.size()).add(list_hash(files)).hex();
}

/// Finished packs of pictures prepared like that, whatever files they are of, the smallest first: a pack of just these
/// files comes before one of more that may be damaged.
std::vector<fs::path> packs_like(const fs::path& folder, const Transform& transform) {
  const std::string form = "-" + hash_of(transform) + "-";
  std::vector<std::pair<std::uintmax_t, fs::path>> found;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    const std::string name = entry.path().filename().string();
    const std::size_t tail = form.size() + Fingerprint().hex().size() + kExtension.size();
    if (name.ends_with(kExtension) && name.size() > tail && name.compare(name.size() - tail, form.size(), form) == 0) {
      std::error_code gone;
      found.emplace_back(entry.file_size(gone), entry.path());
    }
  }
  std::ranges::sort(found);
  std::vector<fs::path> paths;
  for (auto& [bytes, path] : found) {
    paths.push_back(std::move(path));
  }
  return paths;
}

/// Whether a pack is named after the same files, prepared alike; the folder's name may be another.
bool same_contents(const fs::path& pack, const fs::path& other) {
  const auto tail = [](const fs::path& path) {
    const std::string name = path.filename().string();
    return name.substr(name.size() - std::min(name.size(), 2 * Fingerprint().hex().size() + 1 + kExtension.size()));
  };
  return tail(pack) == tail(other);
}

/// nullopt if a file is not in the pack, or has changed.
std::optional<std::vector<std::uint32_t>> find_all(const PackReader& pack, const FileList& files) {
  std::vector<std::uint32_t> pictures;
  pictures.reserve(files.size());
  std::uint32_t near = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto picture = pack.find(files.path(i), files.bytes(i), files.modified(i), near);
    if (!picture) {
      return std::nullopt;
    }
    pictures.push_back(*picture);
    near = *picture + 1;
  }
  return pictures;
}

std::uint64_t prepared_bytes(const PackContents& contents, std::size_t first, int workers) {
  const FileList& files = contents.files;
  if (contents.transform.prepared_is_final_size()) {
    const auto side = static_cast<std::uint64_t>(contents.transform.image_size());
    return pack::aligned(side * side * 3) * (files.size() - first);
  }
  std::atomic<std::uint64_t> sum{0};
  for_each_index(static_cast<std::int64_t>(files.size() - first), workers, {}, [&](std::int64_t i) {
    try {
      const ImageHeader header = read_image_header(contents.root / files.path(first + static_cast<std::size_t>(i)));
      sum += pack::aligned(static_cast<std::uint64_t>(header.width) * static_cast<std::uint64_t>(header.height) * 3);
    } catch (const DataError&) {
      // a bad file takes no room
    }
  });
  return sum;
}

/// Packs that may hold a picture already.
using Donors = std::vector<std::shared_ptr<const PackReader>>;

std::optional<Image> copy_from(const Donors& donors, const FileList& files, std::size_t i) {
  for (const auto& donor : donors) {
    const auto picture = donor->find(files.path(i), files.bytes(i), files.modified(i), static_cast<std::uint32_t>(i));
    if (picture && !donor->bad(*picture)) {
      try {
        return donor->read(*picture);
      } catch (const DataError&) {
        // then it is decoded
      }
    }
  }
  return std::nullopt;
}

PackedPicture make_picture(const PackContents& contents, std::size_t i, OnBadImage on_bad_image) {
  try {
    return PackedPicture(
        prepare_file(contents.root / contents.files.path(i), contents.files.bytes(i), contents.transform));
  } catch (const ChangedImage&) {
    throw;
  } catch (const DataError& e) {
    if (on_bad_image == OnBadImage::error) {
      throw DataError(std::string(e.what()) + kBadImageHint);
    }
    return {};
  }
}

/// The work of making one pack, whose lock is held.
class Packing {
 public:
  Packing(const fs::path& path, const PackContents& contents, const PackOptions& options, Donors donors)
      : contents_(contents),
        options_(options),
        donors_(std::move(donors)),
        one_size_(contents.transform.prepared_is_final_size()),
        writer_(path, contents.files, one_size_ ? contents.transform.image_size() : 0) {}

  /// False if a stop was asked for.
  bool run(PackOutcome& outcome) {
    if (!writer_.resume(options_.on_bad_image == OnBadImage::skip, options_.progress)) {
      return false;
    }
    outcome.kept = static_cast<std::int64_t>(writer_.done());
    if (outcome.kept > 0 && options_.tell) {
      options_.tell("going on after " + with_commas(outcome.kept) + " pictures that were packed before");
    }
    writer_.check_room(prepared_bytes(contents_, writer_.done(), options_.workers));
    while (writer_.done() < contents_.files.size()) {
      if (!pack_block()) {
        return false;
      }
    }
    outcome.copied = copied_;
    outcome.decoded = static_cast<std::int64_t>(writer_.done()) - outcome.kept - copied_;
    outcome.bad = writer_.bad();
    const nlohmann::ordered_json text{{"root", printable(fs::absolute(contents_.root).lexically_normal().string())},
                                      {"form", contents_.transform.form()}};
    writer_.finish(text.dump());
    return true;
  }

 private:
  std::size_t block_size() const {
    constexpr std::size_t kBlockBytes = std::size_t{16} << 20;
    if (!one_size_) {
      return 8 * static_cast<std::size_t>(std::max(options_.workers, 1));  // of any size, so few
    }
    const auto side = static_cast<std::size_t>(contents_.transform.image_size());
    return std::clamp<std::size_t>(kBlockBytes / (side * side * 3), 16, 4096);
  }

  PackedPicture make(std::size_t i) {
    if (auto copy = copy_from(donors_, contents_.files, i)) {
      ++copied_;
      return PackedPicture(std::move(*copy));
    }
    return make_picture(contents_, i, options_.on_bad_image);
  }

  /// What was made up to a stop or an error is kept.
  bool pack_block() {
    const std::size_t first = writer_.done();
    std::vector<std::optional<PackedPicture>> made(std::min(block_size(), contents_.files.size() - first));
    const auto keep = [&] {
      std::vector<PackedPicture> whole;
      for (std::size_t i = 0; i < made.size() && made[i]; ++i) {
        whole.push_back(std::move(*made[i]));
      }
      writer_.append(whole);
    };
    const ProgressFn progress = [&](std::int64_t done, std::int64_t) {
      if (options_.progress) {
        options_.progress(static_cast<std::int64_t>(first) + done, static_cast<std::int64_t>(contents_.files.size()));
      }
    };
    bool complete = false;
    try {
      complete = for_each_index(std::ssize(made), options_.workers, progress, [&](std::int64_t i) {
        made[static_cast<std::size_t>(i)] = make(first + static_cast<std::size_t>(i));
      });
    } catch (...) {
      keep();
      throw;
    }
    keep();
    return complete;
  }

  const PackContents& contents_;
  const PackOptions& options_;
  Donors donors_;
  bool one_size_;
  PackWriter writer_;
  std::atomic<std::int64_t> copied_{0};
};

fs::path lock_of(const fs::path& pack) {
  return pack.string() + ".lock";
}

/// What a process that was killed left beside the whole pack that it had just named. The lock is held. A .part is that
/// of one that mends the pack, and the journal is then its.
void clear_beside(const fs::path& pack) {
  std::error_code none;
  if (!fs::exists(pack.string() + ".part", none)) {
    fs::remove(pack.string() + ".journal", none);
  }
  fs::remove(lock_of(pack), none);
}

/// The same where nobody works on the pack, nor forbids it.
void clear_beside_unless_locked(const fs::path& pack) {
  std::error_code none;
  if (!fs::exists(pack.string() + ".journal", none) && !fs::exists(lock_of(pack), none)) {
    return;
  }
  try {
    const FileLock lock(lock_of(pack));
    clear_beside(pack);
  } catch (const EnvironmentError&) {
    // its files stay
  }
}

/// nullptr once a stop is asked for.
std::unique_ptr<FileLock> wait_for_lock(const fs::path& pack, const PackOptions& options) {
  bool told = false;
  while (!stop_requested()) {
    try {
      return std::make_unique<FileLock>(lock_of(pack), printable(pack.string()) + ": is being made by another process",
                                        "waiting for it");
    } catch (const LockHeld& held) {
      if (!std::exchange(told, true) && options.tell) {
        options.tell(held.what());
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  }
  return nullptr;
}

/// Reads everything; what is wrong with the first picture that is.
std::optional<std::string> find_damage(const PackReader& pack, const PackOptions& options) {
  try {
    for_each_index(static_cast<std::int64_t>(pack.size()), options.workers, options.progress, [&](std::int64_t i) {
      if (const auto picture = static_cast<std::uint32_t>(i); !pack.bad(picture)) {
        pack.read(picture);
      }
    });
  } catch (const DataError& e) {
    return e.what();
  }
  return std::nullopt;
}

}  // namespace

std::vector<PackContents> packs_of(const DataConfig& config, const Listing& listing, bool train_is_measured) {
  const Transform train(config, Transform::Mode::train), eval(config, Transform::Mode::eval);
  const auto sorted = [&](FileList files, const Transform& transform) {
    files.sort_by_path();
    return PackContents{listing.root, std::move(files), transform};
  };
  FileList others = listing.val;
  others.append(listing.test);
  std::vector<PackContents> packs;
  if (train.form() == eval.form()) {
    FileList all = listing.train;
    all.append(others);
    packs.push_back(sorted(std::move(all), eval));
    return packs;
  }
  packs.push_back(sorted(listing.train, train));
  if (train_is_measured) {
    others.append(listing.train);
  }
  if (!others.empty()) {
    packs.push_back(sorted(std::move(others), eval));
  }
  return packs;
}

fs::path pack_folder(const DataConfig& config) {
  if (config.cache_dir) {
    return *config.cache_dir;
  }
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return fs::path(value == nullptr ? "" : value);
  };
  if (const fs::path caches = variable("XDG_CACHE_HOME"); caches.is_absolute()) {
    return caches / "effnetv2";
  }
  if (const fs::path home = variable("HOME"); home.is_absolute()) {
    return home / ".cache" / "effnetv2";
  }
  throw EnvironmentError("data.cache_dir: is not set, and neither is HOME, so that there is no folder for packs");
}

PackStore::PackStore(fs::path folder) : folder_(std::move(folder)) {}

fs::path PackStore::path_of(const PackContents& contents) const {
  return folder_ / (readable_name(contents.root) + "-" + hash_of(contents.transform) + "-" + hash_of(contents.files) +
                    std::string(kExtension));
}

std::optional<FoundPack> PackStore::find(const Transform& transform, const FileList& files,
                                         std::vector<std::string>* damaged) const {
  for (const auto& path : packs_like(folder_, transform)) {
    try {
      auto pack = std::make_shared<const PackReader>(path);
      if (pack->form() != transform.form()) {
        continue;
      }
      if (auto pictures = find_all(*pack, files)) {
        return FoundPack{std::move(pack), std::move(*pictures)};
      }
    } catch (const DataError& e) {
      if (damaged != nullptr) {
        damaged->push_back(e.what());
      }
    } catch (const EnvironmentError&) {
      // deleted meanwhile, or not for this user
    }
  }
  return std::nullopt;
}

PackOutcome PackStore::make(const PackContents& contents, const PackOptions& options) const {
  PackOutcome outcome;
  bool damage_told = false;
  const auto look = [&] {
    std::vector<std::string> damaged;
    if (auto found = find(contents.transform, contents.files, &damaged)) {
      outcome.pack = found->pack;
      outcome.stood_already = true;
      for (std::size_t i = 0; i < contents.files.size(); ++i) {
        if (found->pack->bad(found->pictures[i])) {
          ++outcome.bad;
          make_picture(contents, i, options.on_bad_image);  // throws if that is what is asked for
        }
      }
    } else if (options.tell && !std::exchange(damage_told, true)) {
      std::ranges::for_each(damaged, options.tell);
    }
    return outcome.stood_already;
  };
  bool anew = false;
  fs::path path = path_of(contents);
  if (look()) {
    if (options.verify) {
      const auto damage = find_damage(*outcome.pack, options);
      if (stop_requested()) {
        return {};
      }
      if (damage && options.tell) {
        options.tell(*damage);
      }
      anew = damage.has_value();
    }
    if (!anew) {
      clear_beside_unless_locked(outcome.pack->path());
      return outcome;
    }
    if (same_contents(outcome.pack->path(), path)) {
      path = outcome.pack->path();  // else it would stay and be found again
    }
    outcome = {};
  }
  make_directories(folder_);
  const auto lock = wait_for_lock(path, options);
  if (!lock) {
    return outcome;
  }
  if (!anew && look()) {  // it was made meanwhile
    clear_beside(path);
    return outcome;
  }
  Donors donors;
  for (const auto& donor : packs_like(folder_, contents.transform)) {
    try {
      donors.push_back(std::make_shared<const PackReader>(donor));
    } catch (const Error&) {
      // of no use then
    }
  }
  std::erase_if(donors, [&](const auto& donor) { return donor->form() != contents.transform.form(); });
  if (Packing(path, contents, options, std::move(donors)).run(outcome)) {
    outcome.pack = std::make_shared<const PackReader>(path);
    fs::remove(lock_of(path));
  }
  return outcome;
}

std::vector<PackStore::Other> PackStore::others(const PackContents& contents) const {
  const std::string own = path_of(contents).filename().string();
  const std::string like = own.substr(0, own.size() - kExtension.size() - Fingerprint().hex().size());
  std::vector<Other> found;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder_, none)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(like) && !name.starts_with(own) && (name.ends_with(kExtension) || name.ends_with(".part"))) {
      std::error_code gone;
      const auto bytes = entry.file_size(gone);
      if (!gone) {
        found.push_back({entry.path(), bytes});
      }
    }
  }
  std::ranges::sort(found, {}, &Other::path);
  return found;
}

}  // namespace effnetv2
