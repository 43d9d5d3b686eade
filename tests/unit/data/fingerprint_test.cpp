#include "effnetv2/data/fingerprint.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/temp_dir.h"

namespace effnetv2 {
namespace {

namespace fs = std::filesystem;

class FingerprintTest : public ::testing::Test {
 protected:
  FingerprintTest() {
    config_.root = (dir_ / "set").string();
    config_.split.val = 0.2;
    for (const char* name : {"heron", "owl"}) {
      for (int i = 0; i < 10; ++i) {
        write(name, i, "12345");
      }
    }
  }
  void write(const std::string& name, int number, const std::string& contents) {
    dir_.write("set/" + name + "/" + std::to_string(number) + ".jpg", contents);
  }
  nlohmann::json now() const { return fingerprint(list_images(config_)); }
  std::string change_since(const nlohmann::json& before) const { return first_difference(before, now()).value_or(""); }

  test::TempDir dir_;
  DataConfig config_;
};

TEST_F(FingerprintTest, IsNotOfThePlaceNorOfContents) {
  const auto before = now();
  write("heron", 1, "54321");
  EXPECT_EQ(change_since(before), "");
  fs::rename(dir_ / "set", dir_ / "moved");
  config_.root = (dir_ / "moved").string();
  EXPECT_EQ(change_since(before), "");
}

TEST_F(FingerprintTest, NamesTheFirstClassThatChangedAndHow) {
  const auto before = now();
  write("owl", 1, "123456");
  EXPECT_EQ(change_since(before).substr(0, 49), "class \"owl\": the names or sizes of its 8 training");
  write("owl", 1, "12345");
  EXPECT_EQ(change_since(before), "");
  fs::rename(dir_ / "set/owl/1.jpg", dir_ / "set/owl/1000.jpg");
  EXPECT_NE(change_since(before), "");
  fs::rename(dir_ / "set/owl/1000.jpg", dir_ / "set/owl/1.jpg");
  fs::remove(dir_ / "set/heron/1.jpg");
  fs::remove(dir_ / "set/heron/2.jpg");
  fs::remove(dir_ / "set/heron/3.jpg");
  EXPECT_EQ(change_since(before), "class \"heron\": 8 training images before, 6 now");
}

TEST_F(FingerprintTest, SeesSplitsAndClasses) {
  const auto before = now();
  config_.split.seed = 1;
  EXPECT_NE(change_since(before), "");
  config_.split.seed = 42;
  config_.split.val = 0.3;
  EXPECT_EQ(change_since(before), "class \"heron\": 8 training images before, 7 now");
  config_.split.val = 0.2;
  write("stork", 1, "12345");
  write("stork", 2, "12345");
  write("stork", 3, "12345");
  EXPECT_EQ(change_since(before), "class \"stork\": it is new");
  fs::remove_all(dir_ / "set/heron");
  EXPECT_EQ(change_since(before), "class \"heron\": it is not there any more");
}

}  // namespace
}  // namespace effnetv2
