#include "effnetv2/core/version.h"

#include <opencv2/core/version.hpp>

#include "effnetv2_revision.h"

namespace effnetv2 {

std::string version() {
  return EFFNETV2_VERSION;
}
std::string git_revision() {
  return EFFNETV2_REVISION;
}
std::string opencv_version() {
  return CV_VERSION;
}

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "gcc " __VERSION__;
#endif
}

}  // namespace effnetv2
