#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace effnetv2 {

/// One line of data.class_names: "n01440764 tench, Tinca tinca".
struct ClassName {
  std::string id;     ///< "n01440764", a class folder's name
  std::string title;  ///< "tench, Tinca tinca"; the id if there is no more on the line
};

/// In the file's order, which for ImageNet's synset mapping is that of the network's outputs. Empty lines are passed
/// over. Throws DataError that names data.class_names if the file cannot be read or names an id twice.
std::vector<ClassName> read_class_names(const std::filesystem::path& path);

}  // namespace effnetv2
