#include "effnetv2/core/version.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace effnetv2 {
namespace {

using ::testing::MatchesRegex;

TEST(Version, LooksLikeOne) {
  EXPECT_THAT(version(), MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
  EXPECT_THAT(opencv_version(), MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+.*"));
  EXPECT_THAT(compiler(), MatchesRegex("(gcc|clang) [0-9]+.*"));
  EXPECT_THAT(git_revision(), MatchesRegex("unknown|[0-9a-f]+(-dirty)?"));
}

}  // namespace
}  // namespace effnetv2
