#include "effnetv2/data/file_list.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <gtest/gtest.h>

#include "effnetv2/core/error.h"
#include "effnetv2/core/rng.h"

namespace effnetv2 {
namespace {

std::string name(std::size_t i) {
  return "class-" + std::to_string(i % 7) + "/" + std::string(i % 90, 'x') + std::to_string(i) + ".jpg";
}

FileList numbered(std::size_t count) {
  FileList files;
  for (std::size_t i = 0; i < count; ++i) {
    files.add(name(i), static_cast<std::int64_t>(i % 7), i * 1000, -5 + static_cast<std::int64_t>(i));
  }
  return files;
}

TEST(FileList, GivesBackWhatWasPutIn) {
  constexpr std::size_t kCount = 60000;  // several chunks of paths
  const FileList files = numbered(kCount);
  ASSERT_EQ(files.size(), kCount);
  std::size_t i = 0;
  for (const ImageFile& file : files) {
    ASSERT_EQ(file.path, name(i));
    ASSERT_EQ(files.path(i), name(i));
    ASSERT_EQ(file.label, static_cast<std::int64_t>(i % 7));
    ASSERT_EQ(file.bytes, i * 1000);
    ASSERT_EQ(file.modified, -5 + static_cast<std::int64_t>(i));
    ++i;
  }
  EXPECT_EQ(i, kCount);
  EXPECT_TRUE(FileList().empty());
}

TEST(FileList, CopiesGoTheirOwnWays) {
  FileList one = numbered(10);
  FileList other = one;
  one.add("one/more.jpg", 1, 1);
  other.add("other/more.jpg", 2, 2);
  one.set_label(0, 9);
  EXPECT_EQ(one.path(10), "one/more.jpg");
  EXPECT_EQ(other.path(10), "other/more.jpg");
  EXPECT_EQ(other.label(0), 0);
  const FileList moved = std::move(one);
  one = {};
  one.add("anew.jpg", 0, 0);
  EXPECT_EQ(one.path(0), "anew.jpg");
  EXPECT_EQ(moved.path(10), "one/more.jpg");
  EXPECT_EQ(moved.path(3), name(3));
}

TEST(FileList, AppendsListsOfTheSameAndOfOtherPaths) {
  const FileList files = numbered(100);
  std::vector<bool> even(100), odd(100, true);
  for (std::size_t i = 0; i < 100; i += 2) {
    even[i] = true;
    odd[i] = false;
  }
  FileList all = files.where(odd);
  ASSERT_EQ(all.size(), 50U);
  EXPECT_EQ(all.path(0), name(1));
  all.append(files.where(even));
  all.append(FileList{{"a.jpg", 3, 4, 5}});
  ASSERT_EQ(all.size(), 101U);
  EXPECT_EQ(all.path(50), name(0));
  EXPECT_EQ(all.path(100), "a.jpg");
  EXPECT_EQ(all.label(100), 3);
  EXPECT_EQ(all.modified(100), 5);
  all.sort_by_path();
  EXPECT_EQ(all.path(0), "a.jpg");
  for (std::size_t i = 1; i < all.size(); ++i) {
    EXPECT_LT(all.path(i - 1), all.path(i));
  }
}

TEST(FileList, RefusesWhatItCannotHold) {
  FileList files;
  EXPECT_THROW(files.add("a", -1, 0), std::invalid_argument);
  EXPECT_THROW(files.add("a", std::int64_t{1} << 32, 0), std::invalid_argument);
  EXPECT_THROW(files.add(std::string(2 << 20, 'a'), 0, 0), DataError);
  EXPECT_TRUE(files.empty());
  files.add(std::string(1 << 19, 'a'), 0, 0);
  files.add("b", 0, 0);
  EXPECT_EQ(files.path(0).size(), std::size_t{1} << 19);
  EXPECT_EQ(files.path(1), "b");
}

TEST(FileList, HashIsOfPathsSizesAndTimesInAnyOrder) {
  const FileList files = numbered(50);
  FileList sorted = files;
  sorted.sort_by_path();
  EXPECT_EQ(list_hash(sorted), list_hash(files));
  sorted.set_label(3, 6);
  EXPECT_EQ(list_hash(sorted), list_hash(files));
  for (const ImageFile& other : {ImageFile{"b", 0, 1, 2}, ImageFile{"a", 0, 2, 2}, ImageFile{"a", 0, 1, 1}}) {
    EXPECT_NE(list_hash(FileList{other}), list_hash(FileList{{"a", 0, 1, 2}}));
  }
  EXPECT_NE(list_hash(FileList{{"a", 0, 1, 2}, {"b", 0, 1, 2}}), list_hash(FileList{{"a", 0, 1, 2}}));
}

}  // namespace
}  // namespace effnetv2
