#pragma once

#include <string>

namespace effnetv2 {

/// "0.1.0".
std::string version();
/// The git revision of the build, "-dirty" appended when the tree had changes; "unknown" outside git.
std::string git_revision();
/// Compiler name and version.
std::string compiler();
/// OpenCV's version.
std::string opencv_version();

}  // namespace effnetv2
