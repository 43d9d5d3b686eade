#include "support/fuzz_corpus.h"

#include <gtest/gtest.h>

#include "fuzz/image_targets.h"

namespace effnetv2 {
namespace {

TEST(FuzzCorpus, ImageHeader) {
  test::replay_corpus("image_header", fuzz::image_header);
}

}  // namespace
}  // namespace effnetv2
