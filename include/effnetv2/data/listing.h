#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "effnetv2/config/data_config.h"
#include "effnetv2/core/progress.h"
#include "effnetv2/data/file_list.h"

namespace effnetv2 {

/// The images of one data set, split. Order: by class, then path, both in byte order.
struct Listing {
  std::filesystem::path root;
  std::vector<std::string> classes;       ///< folder names in byte order; index = label
  std::vector<std::string> class_titles;  ///< readable names, from data.class_names where given, else the folder's
  FileList train, val, test;
  std::int64_t greyscale_left_out = 0;
};

/// Lists config.root (<root>/<class>/* or <root>/{train,val,test}/<class>/*) and splits it. Decodes nothing (reads
/// headers for skip_greyscale). Every choice is a function of names and seeds only. Throws DataError that says which
/// for a missing root, no images, one class, an empty class, a class missing from a split. Where `faults` is given, the
/// last three are put there and what there is gets listed.
Listing list_images(const DataConfig& config, const ProgressFn& progress = {},
                    std::vector<std::string>* faults = nullptr);

/// Every image file below `folder` as a path that begins with it, in byte order: extensions in any case, hidden entries
/// left out, links that lead back not followed. Throws DataError if the folder cannot be read.
std::vector<std::string> list_image_files(const std::filesystem::path& folder);

}  // namespace effnetv2
