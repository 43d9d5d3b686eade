#include "support/fuzz_corpus.h"

#include <gtest/gtest.h>

#include "fuzz/weights_targets.h"

namespace effnetv2 {
namespace {

TEST(FuzzCorpus, Safetensors) {
  test::replay_corpus("safetensors", fuzz::safetensors);
}
TEST(FuzzCorpus, TorchFile) {
  test::replay_corpus("torch_file", fuzz::torch_file);
}
TEST(FuzzCorpus, TorchPickle) {
  test::replay_corpus("torch_pickle", fuzz::torch_pickle);
}

}  // namespace
}  // namespace effnetv2
