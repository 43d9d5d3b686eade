#include <filesystem>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "effnetv2/core/file.h"

#include "fuzz/targets.h"

namespace effnetv2 {
namespace {

/// Every file that the fuzzers found to reach a place of its own is read again, by any compiler and without them.
void replay(const std::string& name, const std::function<void(const std::string&)>& target) {
  int files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(EFFNETV2_SOURCE_DIR) + "/tests/fuzz/corpus/" + name)) {
    target(read_file(entry.path()));
    ++files;
  }
  EXPECT_GT(files, 20);
}

TEST(FuzzCorpus, Safetensors) {
  replay("safetensors", fuzz::safetensors);
}
TEST(FuzzCorpus, TorchFile) {
  replay("torch_file", fuzz::torch_file);
}
TEST(FuzzCorpus, TorchPickle) {
  replay("torch_pickle", fuzz::torch_pickle);
}

}  // namespace
}  // namespace effnetv2
