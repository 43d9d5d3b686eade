#include "effnetv2/core/mapped_file.h"

#include <memory>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "effnetv2/core/error.h"

#include "support/temp_dir.h"

namespace effnetv2 {
namespace {

using test::TempDir;

std::unique_ptr<MappedFile> map(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  auto mapped = std::make_unique<MappedFile>(fd, std::filesystem::file_size(path), path);
  ::close(fd);
  return mapped;
}

TEST(MappedFile, IsTheBytesOfTheFile) {
  const TempDir dir;
  const auto file = map(dir.write("a", "some bytes"));
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(file->data()), file->size()), "some bytes");
  EXPECT_EQ(map(dir.write("empty", ""))->size(), 0U);
}

TEST(MappedFile, SaysWhatCannotBeMapped) {
  EXPECT_THROW(MappedFile(-1, 10, "nothing"), FileError);
}

/// Touches the last page of a file that has lost it, where `others` were mapped before.
void read_past_the_end(const std::filesystem::path& path, int others) {
  install_mapped_file_guard();
  std::vector<std::unique_ptr<MappedFile>> more;
  for (int i = 0; i < others; ++i) {
    more.push_back(map(path));
  }
  const auto file = map(path);
  more.clear();
  std::filesystem::resize_file(path, 10);
  volatile unsigned char byte = file->data()[file->size() - 1];
  static_cast<void>(byte);
}

TEST(MappedFileDeathTest, CutShortWhileItIsReadItIsNamedAndTheEnd) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const TempDir dir;
  const auto path = dir.write("state", std::string(100000, 'x'));
  EXPECT_EXIT(read_past_the_end(path, 3), ::testing::ExitedWithCode(6),
              "^error: .*/state: was cut short or its disk failed");
  std::filesystem::resize_file(path, 100000);
  EXPECT_EXIT(read_past_the_end(path, 100), ::testing::ExitedWithCode(6),
              "^error: a mapped file: was cut short or its disk failed");
}

}  // namespace
}  // namespace effnetv2
