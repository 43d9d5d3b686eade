#include "effnetv2/data/verify.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "effnetv2/config/data_config.h"
#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"
#include "effnetv2/core/hash.h"
#include "effnetv2/core/text.h"
#include "effnetv2/data/decode.h"
#include "effnetv2/data/listing.h"

#include "parallel.h"

namespace effnetv2 {
namespace {

struct Entry {
  ImageFile file;
  int split = 0;
  std::optional<std::string> defect;
};

std::vector<Entry> entries_of(const Listing& listing) {
  std::vector<Entry> entries;
  int split = 0;
  for (const auto* files : {&listing.train, &listing.val, &listing.test}) {
    for (const auto& file : *files) {
      entries.push_back({file, split, std::nullopt});
    }
    ++split;
  }
  return entries;
}

/// The class folder relative to the root, "n01440764" or "train/n01440764".
std::string class_folder(const ImageFile& file, const Listing& listing) {
  const auto& name = listing.classes[static_cast<std::size_t>(file.label)];
  const bool below_root = file.path.starts_with(name + "/");
  return below_root ? name : file.path.substr(0, file.path.find('/') + 1) + name;
}

/// Groups of equal files among those of one size: by checksum first, by every byte at last. Never more than two files
/// are in memory: uncompressed pictures of one shape are all of one size.
void find_equal(const std::filesystem::path& root, const std::vector<const Entry*>& same_size,
                std::vector<Verification::Duplicates>& found) {
  const auto read = [&](const Entry* entry) { return read_file(root / entry->file.path); };
  std::map<std::uint64_t, std::vector<const Entry*>> by_sum;
  for (const auto* entry : same_size) {
    const std::string bytes = read(entry);
    by_sum[quick_checksum(bytes.data(), bytes.size())].push_back(entry);
  }
  for (const auto& [sum, group] : by_sum) {
    if (group.size() < 2) {
      continue;
    }
    const auto* first = group.front();
    const std::string bytes = read(first);
    Verification::Duplicates duplicates;
    for (const auto* entry : group) {
      if (entry == first || read(entry) == bytes) {
        duplicates.paths.push_back(entry->file.path);
        duplicates.across_classes |= entry->file.label != first->file.label;
        duplicates.across_splits |= entry->split != first->split;
      }
    }
    if (duplicates.paths.size() > 1) {
      std::sort(duplicates.paths.begin(), duplicates.paths.end());
      found.push_back(std::move(duplicates));
    }
  }
}

}  // namespace

Verification verify_images(const std::filesystem::path& root, int workers, const ProgressFn& progress) {
  DataConfig config;
  config.root = root.string();
  config.split.val = 0.0;
  Verification result;
  const Listing listing = list_images(config, {}, &result.faults);
  std::vector<Entry> entries = entries_of(listing);
  const bool complete =
      for_each_index(static_cast<std::int64_t>(entries.size()), workers, progress, [&](std::int64_t i) {
        Entry& entry = entries[static_cast<std::size_t>(i)];
        try {
          decode_image(root / entry.file.path);
        } catch (const DataError& e) {
          entry.defect = e.what();
        }
      });
  if (!complete) {
    return {};
  }

  std::map<std::string, std::int64_t> sizes;
  std::map<std::uint64_t, std::vector<const Entry*>> by_size;
  for (const auto& entry : entries) {
    ++result.images;
    ++sizes[class_folder(entry.file, listing)];
    if (entry.defect) {
      result.bad.push_back({entry.file.path, *entry.defect});
    } else {
      by_size[entry.file.bytes].push_back(&entry);
    }
  }
  for (const auto& [name, count] : sizes) {
    result.classes.push_back({name, count});
  }
  for (const auto& [bytes, group] : by_size) {
    if (group.size() > 1) {
      find_equal(root, group, result.duplicates);
    }
  }
  std::sort(result.duplicates.begin(), result.duplicates.end(),
            [](const auto& a, const auto& b) { return a.paths < b.paths; });
  return result;
}

}  // namespace effnetv2
