#include "effnetv2/data/listing.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "effnetv2/core/cores.h"
#include "effnetv2/core/error.h"
#include "effnetv2/core/hash.h"
#include "effnetv2/core/rng.h"
#include "effnetv2/core/text.h"
#include "effnetv2/data/class_names.h"
#include "effnetv2/data/decode.h"

#include "parallel.h"

namespace effnetv2 {
namespace {

namespace fs = std::filesystem;

constexpr int kMostListingThreads = 8;

bool is_hidden(const fs::path& path) {
  return path.filename().string().starts_with('.');
}

/// `name`: a file's, without its folder.
bool has_image_extension(std::string_view name) {
  static constexpr std::array<std::string_view, 5> known{".bmp", ".jpeg", ".jpg", ".png", ".webp"};
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) {
    return false;
  }
  const std::string_view extension = name.substr(dot);
  return std::ranges::any_of(known, [&](std::string_view one) {
    return std::ranges::equal(one, extension, {}, {}, [](unsigned char c) { return std::tolower(c); });
  });
}

/// Entries in byte order, hidden ones left out.
std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code code;
  fs::directory_iterator it(folder, code);
  for (; !code && it != fs::directory_iterator(); it.increment(code)) {
    if (!is_hidden(it->path())) {
      entries.push_back(it->path());
    }
  }
  if (code) {
    throw DataError(printable(folder.string()) + ": cannot read the folder: " + code.message());
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.native() < b.native(); });
  return entries;
}

std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> folders = entries_of(folder);
  std::erase_if(folders, [](const fs::path& path) {
    std::error_code ignored;
    return !fs::is_directory(path, ignored);
  });
  return folders;
}

/// Folders by what they are, not by what they are called.
using FolderIds = std::set<std::pair<dev_t, ino_t>>;

[[noreturn]] void cannot_read(const std::string& folder, int code) {
  throw DataError(printable(folder) + ": cannot read the folder: " + std::strerror(code));
}

/// An open folder, so that what is in it is found without its path being walked again.
class Folder {
 public:
  /// `path`: as it is called relative to `at`, an open folder or AT_FDCWD. `shown`: for messages.
  Folder(int at, const char* path, const std::string& shown) {
    const int fd = ::openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    stream_ = fd < 0 ? nullptr : ::fdopendir(fd);
    if (stream_ == nullptr) {
      const int code = errno;
      if (fd >= 0) {
        ::close(fd);
      }
      if (code != ENOENT) {  // gone meanwhile
        cannot_read(shown, code);
      }
    }
  }
  ~Folder() {
    if (stream_ != nullptr) {
      ::closedir(stream_);
    }
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  int fd() const { return stream_ == nullptr ? -1 : ::dirfd(stream_); }

  struct Entry {
    ino_t inode;
    std::string name;
  };
  /// What may hold or be a picture, hidden entries left out, in the order in which a disk holds what stat asks for.
  std::vector<Entry> entries(const std::string& shown) const {
    std::vector<Entry> found;
    while (stream_ != nullptr) {
      errno = 0;
      const dirent* entry = ::readdir(stream_);
      if (entry == nullptr) {
        if (errno != 0) {
          cannot_read(shown, errno);
        }
        break;
      }
      const std::string_view name = entry->d_name;
      if (!name.starts_with('.') && (entry->d_type != DT_REG || has_image_extension(name))) {
        found.push_back({entry->d_ino, std::string(name)});
      }
    }
    std::ranges::sort(found, {}, &Entry::inode);
    return found;
  }

 private:
  DIR* stream_ = nullptr;
};

/// Every image below the folder `name` of the open folder `at`, by its path relative to a root: `path` is the folder's.
/// Folders that a link leads back into, those of `above`, are not entered again.
void collect(int at, const char* name, const std::string& path, const fs::path& root, std::int64_t label,
             FolderIds& above, FileList& files) {
  const std::string shown = (root / path).string();
  const Folder folder(at, name, shown);
  struct stat info {};
  if (::fstat(folder.fd(), &info) != 0 || !above.emplace(info.st_dev, info.st_ino).second) {
    return;
  }
  for (const auto& entry : folder.entries(shown)) {
    struct stat entry_info {};
    const bool found = ::fstatat(folder.fd(), entry.name.c_str(), &entry_info, 0) == 0;
    const std::string entry_path = path.empty() ? entry.name : path + "/" + entry.name;
    if (found && S_ISDIR(entry_info.st_mode)) {
      collect(folder.fd(), entry.name.c_str(), entry_path, root, label, above, files);
    } else if (has_image_extension(entry.name) && (!found || S_ISREG(entry_info.st_mode))) {
      // a link to nowhere is listed, and is a bad image when it is read; a pipe would be waited for
      files.add(entry_path, label, found ? static_cast<std::uint64_t>(entry_info.st_size) : 0,
                found
                    ? static_cast<std::int64_t>(entry_info.st_mtim.tv_sec) * 1'000'000'000 + entry_info.st_mtim.tv_nsec
                    : 0);
    }
  }
  above.erase({info.st_dev, info.st_ino});
}

/// Where to put what is wrong with the folders; none: it is thrown.
class Faults {
 public:
  explicit Faults(std::vector<std::string>* list) : list_(list) {}
  void add(const std::string& message) const {
    if (list_ == nullptr) {
      throw DataError(message);
    }
    list_->push_back(message);
  }

 private:
  std::vector<std::string>* list_;
};

struct ClassFolders {
  std::vector<std::string> classes;
  FileList files;
};

/// The lists of the classes as threads finish them, put end to end in their order.
class InOrder {
 public:
  InOrder(std::size_t parts, FileList& whole) : parts_(parts), whole_(whole) {}
  void add(std::size_t at, FileList part) {
    const std::lock_guard lock(mutex_);
    parts_[at] = std::move(part);
    for (; next_ < parts_.size() && parts_[next_]; ++next_) {
      whole_.append(*parts_[next_]);
      parts_[next_].reset();
    }
  }

 private:
  std::mutex mutex_;
  std::vector<std::optional<FileList>> parts_;
  std::size_t next_ = 0;
  FileList& whole_;
};

ClassFolders read_class_folders(const fs::path& folder, const fs::path& root, const Faults& faults) {
  ClassFolders result;
  FolderIds above;
  for (const auto& outer : {root, folder}) {
    struct stat info {};
    if (::stat(outer.c_str(), &info) == 0) {
      above.emplace(info.st_dev, info.st_ino);
    }
  }
  const std::vector<fs::path> paths = folders_in(folder);
  std::vector<char> empty(paths.size());
  InOrder in_order(paths.size(), result.files);
  for_each_index(
      std::ssize(paths), std::clamp(usable_cores(), 1, kMostListingThreads), {},
      [&](std::int64_t i) {
        const auto at = static_cast<std::size_t>(i);
        FolderIds own = above;
        FileList files;
        collect(AT_FDCWD, paths[at].c_str(), paths[at].lexically_relative(root).generic_string(), root, i, own, files);
        files.sort_by_path();
        empty[at] = files.empty() ? 1 : 0;
        in_order.add(at, std::move(files));
      },
      OnStop::finish);
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (empty[i] != 0) {
      faults.add(printable(paths[i].string()) + ": this class has no image (.jpg, .jpeg, .png, .bmp or .webp); " +
                 "remove the folder or put images into it");
    }
    result.classes.push_back(paths[i].filename().string());
  }
  std::map<std::string, std::string> by_printed_name;  // which files and messages know a class by
  for (const auto& name : result.classes) {
    const auto [before, is_new] = by_printed_name.emplace(printable(name), name);
    if (!is_new) {
      faults.add(printable(folder.string()) + ": two class folders are both written \"" + before->first +
                 "\", as the name of one is no UTF-8; rename it");
    }
  }
  return result;
}

/// The files labelled by the places of their classes in `classes`, which grows by those it lacks.
FileList in_classes(ClassFolders found, std::vector<std::string>& classes) {
  for (std::size_t i = 0; i < found.files.size(); ++i) {
    const std::string& name = found.classes[static_cast<std::size_t>(found.files.label(i))];
    const auto place = std::ranges::find(classes, name) - classes.begin();
    if (place == std::ssize(classes)) {
      classes.push_back(name);
    }
    found.files.set_label(i, place);
  }
  return std::move(found.files);
}

/// A number for each file that depends on the seed and its name alone: ranking by it is a draw that neither the
/// machine, nor the order of a folder, nor other files change.
std::uint64_t lot(std::uint64_t seed, std::uint64_t draw, std::string_view path) {
  return Rng::stream(seed, Purpose::split, Fingerprint().add(path).value(), draw).next();
}

/// Calls `use` with positions in `files` in the order of their lots, label by label or all at once. Files of one label
/// stand together.
template <typename Use>
void in_drawn_order(const FileList& files, bool by_class, std::uint64_t seed, std::uint64_t draw, const Use& use) {
  std::vector<std::pair<std::uint64_t, std::size_t>> group;
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < files.size(); ++i) {
    group.emplace_back(lot(seed, draw, files.path(i)), i);
    if (i + 1 < files.size() && !(by_class && files.label(i + 1) != files.label(i))) {
      continue;
    }
    std::ranges::sort(group);
    order.clear();
    std::ranges::transform(group, std::back_inserter(order), [](const auto& one) { return one.second; });
    use(order);
    group.clear();
  }
}

void keep_images_per_class(FileList& files, std::int64_t limit, std::uint64_t seed) {
  std::vector<bool> keep(files.size());
  in_drawn_order(files, /*by_class=*/true, seed, 0, [&](const std::vector<std::size_t>& order) {
    for (std::size_t i = 0; i < order.size() && static_cast<std::int64_t>(i) < limit; ++i) {
      keep[order[i]] = true;
    }
  });
  files = files.where(keep);
}

/// Moves `val` and `test` shares out of listing.train.
void split_off(Listing& listing, double val, double test, const SplitConfig& config) {
  std::vector<bool> train(listing.train.size(), true), for_val(listing.train.size()), for_test(listing.train.size());
  in_drawn_order(listing.train, config.stratified, config.seed, 1, [&](const std::vector<std::size_t>& order) {
    const auto share = [&](double fraction) {
      return static_cast<std::size_t>(std::lround(fraction * static_cast<double>(order.size())));
    };
    const auto val_end = std::min(order.size(), share(val));
    const auto test_end = std::min(order.size(), val_end + share(test));
    for (std::size_t i = 0; i < test_end; ++i) {
      train[order[i]] = false;
      (i < val_end ? for_val : for_test)[order[i]] = true;
    }
  });
  if (val > 0.0) {
    listing.val = listing.train.where(for_val);
  }
  if (test > 0.0) {
    listing.test = listing.train.where(for_test);
  }
  listing.train = listing.train.where(train);
}

void leave_out_greyscale(Listing& listing, const ProgressFn& progress) {
  const auto total = static_cast<std::int64_t>(listing.train.size() + listing.val.size() + listing.test.size());
  std::int64_t done = 0;
  for (auto* files : {&listing.train, &listing.val, &listing.test}) {
    std::vector<bool> keep(files->size(), true);
    for (std::size_t i = 0; i < files->size(); ++i) {
      if (progress) {
        progress(++done, total);
      }
      try {
        keep[i] = read_image_header(listing.root / files->path(i)).channels != 1;
      } catch (const DataError&) {
        // a bad image is dealt with where it is decoded
      }
    }
    listing.greyscale_left_out += std::ranges::count(keep, false);
    *files = files->where(keep);
  }
}

void check_every_class(const Listing& listing, const FileList& files, const char* split, const std::string& hint) {
  std::vector<std::int64_t> counts(listing.classes.size());
  for (std::size_t i = 0; i < files.size(); ++i) {
    ++counts[static_cast<std::size_t>(files.label(i))];
  }
  std::vector<std::string> missing;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) {
      missing.push_back("\"" + printable(listing.classes[i]) + "\"");
    }
  }
  if (!missing.empty()) {
    throw DataError(printable(listing.root.string()) + ": no " + split + " image of " + join_words(missing) + "; " +
                    hint);
  }
}

/// The test images take validation's place.
void choose_on_test(Listing& listing) {
  const std::string rule = "data.split.choose_on: is \"test\", but " + printable(listing.root.string());
  if (!listing.val.empty()) {
    throw DataError(rule + " has a val folder, which would be left without a use; choose on \"val\", or take it away");
  }
  if (listing.test.empty()) {
    throw DataError(rule + " has no test images; set data.split.test above 0 or add a test folder");
  }
  listing.val = std::exchange(listing.test, {});
}

std::vector<std::string> read_titles(const fs::path& path, const std::vector<std::string>& classes) {
  std::map<std::string, std::string> titles;
  for (const auto& [id, title] : read_class_names(path)) {
    titles[id] = title;
  }
  std::vector<std::string> result;
  for (const auto& name : classes) {
    const auto it = titles.find(name);
    result.push_back(it == titles.end() ? name : it->second);
  }
  return result;
}

bool is_split_name(const fs::path& path) {
  return path.filename() == "train" || path.filename() == "val" || path.filename() == "test";
}

/// <root>/{train,val,test}/<class>/*: nothing else lies beside the split folders, so a class may be called "train".
bool has_split_folders(const std::vector<fs::path>& folders, const fs::path& root) {
  return std::all_of(folders.begin(), folders.end(), is_split_name) &&
         std::find(folders.begin(), folders.end(), root / "train") != folders.end();
}

/// Whether both hold folders of one name and no images of their own, as splits of one set do.
bool look_like_splits(const fs::path& one, const fs::path& other) {
  const auto has_images = [](const fs::path& folder) {
    return std::ranges::any_of(entries_of(folder),
                               [](const fs::path& path) { return has_image_extension(path.filename().native()); });
  };
  return std::ranges::any_of(folders_in(one),
                             [&](const fs::path& folder) { return fs::is_directory(other / folder.filename()); }) &&
         !has_images(one) && !has_images(other);
}

/// A split folder of folders beside others would make classes of the splits, and train on the test images.
void check_no_split_is_a_class(const std::vector<fs::path>& folders, const fs::path& root) {
  const auto split = std::ranges::find_if(folders, [&](const fs::path& folder) {
    return is_split_name(folder) && std::ranges::any_of(folders, [&](const fs::path& other) {
             return other != folder && look_like_splits(folder, other);
           });
  });
  if (split == folders.end()) {
    return;
  }
  std::vector<std::string> others;
  for (const auto& folder : folders) {
    if (!is_split_name(folder)) {
      others.push_back("\"" + printable(folder.filename().string()) + "\"");
    }
  }
  throw DataError(printable(root.string()) + ": \"" + split->filename().string() +
                  "\" holds folders, as a split does, but " +
                  (others.empty() ? "there is no \"train\" beside it" : "beside it lies " + join_words(others)) +
                  "; a split data set has train, and val or test or both, and nothing else");
}

FileList read_split_folder(Listing& listing, const char* name, const Faults& faults) {
  const fs::path folder = listing.root / name;
  if (!fs::exists(folder)) {
    return {};
  }
  ClassFolders found = read_class_folders(folder, listing.root, faults);
  if (found.classes != listing.classes) {
    std::vector<std::string> odd;
    std::set_symmetric_difference(found.classes.begin(), found.classes.end(), listing.classes.begin(),
                                  listing.classes.end(), std::back_inserter(odd));
    for (auto& one : odd) {
      one = "\"" + printable(one) + "\"";
    }
    faults.add(printable(folder.string()) + ": its classes are not those of " +
               printable((listing.root / "train").string()) + ": only in one of them: " + join_words(odd));
    return in_classes(std::move(found), listing.classes);
  }
  return std::move(found.files);
}

}  // namespace

std::vector<std::string> list_image_files(const fs::path& folder) {
  FileList files;
  FolderIds above;
  collect(AT_FDCWD, folder.c_str(), "", folder, 0, above, files);
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < files.size(); ++i) {
    paths.push_back((folder / files.path(i)).string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

Listing list_images(const DataConfig& config, const ProgressFn& progress, std::vector<std::string>* fault_list) {
  const Faults faults(fault_list);
  Listing listing;
  listing.root = config.root.value_or("");
  std::error_code ignored;
  if (!fs::is_directory(listing.root, ignored)) {
    throw DataError("data.root: there is no folder " + printable(listing.root.string()) +
                    "; it must hold one folder of images per class");
  }
  const auto folders = folders_in(listing.root);
  const bool split_folders = has_split_folders(folders, listing.root);
  if (!split_folders) {
    check_no_split_is_a_class(folders, listing.root);
  }
  ClassFolders found = read_class_folders(split_folders ? listing.root / "train" : listing.root, listing.root, faults);
  listing.classes = std::move(found.classes);
  listing.train = std::move(found.files);
  if (listing.classes.empty()) {
    throw DataError(printable(listing.root.string()) +
                    ": holds no class folder; images must lie in <root>/<class>/ or <root>/train/<class>/");
  }
  if (listing.classes.size() == 1) {
    faults.add(printable(listing.root.string()) + ": holds only one class, \"" + printable(listing.classes[0]) +
               "\"; at least two are needed");
  }
  if (split_folders) {
    listing.val = read_split_folder(listing, "val", faults);
    listing.test = read_split_folder(listing, "test", faults);
  }
  listing.class_titles = config.class_names ? read_titles(*config.class_names, listing.classes) : listing.classes;
  if (config.skip_greyscale) {
    leave_out_greyscale(listing, progress);
  }
  if (config.images_per_class) {
    keep_images_per_class(listing.train, *config.images_per_class, config.split.seed);
  }
  // a folder of its own takes the place of a share
  const double val = listing.val.empty() ? config.split.val : 0.0;
  const double test = listing.test.empty() ? config.split.test : 0.0;
  split_off(listing, val, test, config.split);

  if (fault_list != nullptr) {
    return listing;  // an empty class was told of already
  }
  const std::string hint = config.split.stratified
                               ? "use more images or other shares in data.split"
                               : "use more images, other shares in data.split, or data.split.stratified: true";
  check_every_class(listing, listing.train, "training", hint);
  if (val > 0.0 || !listing.val.empty()) {
    check_every_class(listing, listing.val, "validation", hint);
  }
  if (test > 0.0 || !listing.test.empty()) {
    check_every_class(listing, listing.test, "test", hint);
  }
  if (config.split.choose_on == ChooseOn::test) {
    choose_on_test(listing);
  }
  return listing;
}

}  // namespace effnetv2
