#include "support/fuzz_corpus.h"

#include <gtest/gtest.h>

#include "fuzz/config_targets.h"

namespace effnetv2 {
namespace {

TEST(FuzzCorpus, Config) {
  test::replay_corpus("config", fuzz::config);
}
TEST(FuzzCorpus, Set) {
  test::replay_corpus("set", fuzz::set);
}

}  // namespace
}  // namespace effnetv2
