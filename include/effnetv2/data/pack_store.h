#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "effnetv2/config/data_config.h"
#include "effnetv2/core/progress.h"
#include "effnetv2/data/file_list.h"
#include "effnetv2/data/listing.h"
#include "effnetv2/data/pack_reader.h"
#include "effnetv2/data/transform.h"

namespace effnetv2 {

/// What one pack is made of.
struct PackContents {
  std::filesystem::path root;
  FileList files;  ///< in byte order of their paths
  Transform transform;
};

/// The packs that a config needs. One of all pictures where training and evaluation prepare them alike, whatever the
/// split; else one for the training pictures and one for the others (and for training's too, if `train_is_measured`).
std::vector<PackContents> packs_of(const DataConfig& config, const Listing& listing, bool train_is_measured);

/// data.cache_dir, or effnetv2 in the user's folder of caches. Throws EnvironmentError if there is none.
std::filesystem::path pack_folder(const DataConfig& config);

/// An open pack and, for each file of a list, which of its pictures is the file's.
struct FoundPack {
  std::shared_ptr<const PackReader> pack;
  std::vector<std::uint32_t> pictures;
};

/// What became of a pack that was asked for.
struct PackOutcome {
  std::shared_ptr<const PackReader> pack;  ///< null: a stop was asked for meanwhile; what was done is kept
  bool stood_already = false;
  std::int64_t decoded = 0;
  std::int64_t kept = 0;    ///< done by an earlier process that was cut off
  std::int64_t copied = 0;  ///< out of packs of other lists with the same pictures
  std::int64_t bad = 0;     ///< pictures among these that cannot be decoded
};

struct PackOptions {
  int workers = 1;
  OnBadImage on_bad_image = OnBadImage::error;
  bool verify = false;  ///< read all of a pack that stands, and make it anew where it is damaged
  ProgressFn progress;
  std::function<void(const std::string& message)> tell;  ///< what goes on, for the log
};

/// A folder of packs, <root>-<form>-<list>.pack: `form` is a hash of how pictures are prepared, `list` one of the
/// files' paths, sizes and times. Several processes can use it at once.
class PackStore {
 public:
  explicit PackStore(std::filesystem::path folder);

  /// Where the pack of these contents is, or would be.
  std::filesystem::path path_of(const PackContents& contents) const;
  /// A pack that holds every one of `files` as it is now, prepared by `transform`. nullopt if there is none. `damaged`
  /// takes what is wrong with those whose index is damaged, one of which may be the one.
  std::optional<FoundPack> find(const Transform& transform, const FileList& files,
                                std::vector<std::string>* damaged = nullptr) const;
  /// Finds or makes the pack of these contents: whole or not at all, going on from where an earlier process was cut off
  /// once what that left is verified. Waits while another process makes it. Throws DataError for a bad picture
  /// (on_bad_image: error) and EnvironmentError, with the bytes needed and free, if it cannot be written; what was done
  /// is kept.
  PackOutcome make(const PackContents& contents, const PackOptions& options) const;

  struct Other {
    std::filesystem::path path;
    std::uint64_t bytes = 0;
  };
  /// Finished and unfinished packs of a folder of the same name, prepared alike, from other lists of files.
  std::vector<Other> others(const PackContents& contents) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace effnetv2
