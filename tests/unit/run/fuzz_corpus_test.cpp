#include "support/fuzz_corpus.h"

#include <gtest/gtest.h>

#include "fuzz/state_targets.h"

namespace effnetv2 {
namespace {

TEST(FuzzCorpus, State) {
  test::replay_corpus("state", fuzz::state);
}
TEST(FuzzCorpus, StateValues) {
  test::replay_corpus("state_values", fuzz::state_values);
}

}  // namespace
}  // namespace effnetv2
