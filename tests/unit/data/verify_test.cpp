#include "effnetv2/data/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnetv2/core/error.h"
#include "effnetv2/core/stop.h"

#include "support/capture_stderr.h"
#include "support/image_golden.h"
#include "support/temp_dir.h"

namespace effnetv2 {
namespace {

using test::CaptureStderr;
using test::TempDir;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// Different pictures: a file of the goldens with bytes behind its end, where they change no pixel.
class VerifyThreads : public ::testing::Test {
 protected:
  VerifyThreads() {
    for (const auto& one : test::read_image_golden("jpeg")) {
      if (one["name"] == "baseline 420") {
        picture = test::from_base64(one["file"].get<std::string>());
      }
    }
  }
  void TearDown() override { clear_stop_request(); }

  std::string unique() { return picture + std::to_string(++count); }
  /// The same length whatever `text`.
  std::string tagged(const std::string& text) const { return picture + text; }
  void fill(const std::string& folder, int images) {
    for (int i = 0; i < images; ++i) {
      root.write(folder + "/" + std::to_string(i) + ".jpg", unique());
    }
  }
  Verification verify(int workers = 2) const { return verify_images(root.path(), workers); }

  TempDir root;
  std::string picture;
  int count = 1000;
};

TEST_F(VerifyThreads, ACleanSet) {
  fill("b", 3);
  fill("a", 5);
  const Verification found = verify();
  EXPECT_TRUE(found.clean());
  EXPECT_EQ(found.images, 8);
  ASSERT_EQ(found.classes.size(), 2U);
  EXPECT_EQ(found.classes[0].name, "a");
  EXPECT_EQ(found.classes[0].images, 5);
  EXPECT_EQ(found.classes[1].name, "b");
  EXPECT_EQ(found.classes[1].images, 3);
  EXPECT_THAT(found.bad, IsEmpty());
  EXPECT_THAT(found.duplicates, IsEmpty());
}

TEST_F(VerifyThreads, BadImagesAreNamedWithTheirReasons) {
  fill("a", 4);
  fill("b", 2);
  root.write("a/empty.jpg", "");
  root.write("a/page.png", "<html>not found</html>");
  root.write("b/cut.JPEG", picture.substr(0, picture.size() - 40));
  root.write("b/new\nline.jpg", "text");
  std::filesystem::create_symlink("nowhere", root / "b/link.jpg");
  const CaptureStderr noise;
  const Verification found = verify();
  EXPECT_EQ(noise.text(), "");
  EXPECT_FALSE(found.clean());
  EXPECT_EQ(found.images, 11) << "bad ones count";
  EXPECT_EQ(found.classes[1].images, 5);
  std::vector<std::string> bad;
  for (const auto& one : found.bad) {
    bad.push_back(one.path);
    EXPECT_THAT(one.reason, AllOf(HasSubstr(root.path().string()), Not(HasSubstr("\n"))));
  }
  ASSERT_THAT(bad, ElementsAre("a/empty.jpg", "a/page.png", "b/cut.JPEG", "b/link.jpg", "b/new\nline.jpg"));
  EXPECT_THAT(found.bad[0].reason, HasSubstr("empty"));
  EXPECT_THAT(found.bad[1].reason, HasSubstr("no JPEG"));
  EXPECT_THAT(found.bad[2].reason, HasSubstr("truncated"));
  EXPECT_THAT(found.bad[4].reason, HasSubstr("new\\x0Aline.jpg"));
  EXPECT_THAT(found.duplicates, IsEmpty());
}

TEST_F(VerifyThreads, DuplicatesAreEqualBytes) {
  fill("a", 3);
  fill("b", 3);
  root.write("a/same 1.jpg", tagged("same"));
  root.write("a/same 2.png", tagged("same"));
  root.write("a/deep/same 3.jpg", tagged("same"));
  root.write("b/other.jpg", tagged("emas"));  // as long, other bytes
  root.write("a/x.jpg", tagged("across"));
  root.write("b/x.jpg", tagged("across"));
  const Verification found = verify();
  EXPECT_FALSE(found.clean());
  EXPECT_THAT(found.bad, IsEmpty());
  ASSERT_EQ(found.duplicates.size(), 2U);
  EXPECT_THAT(found.duplicates[0].paths, ElementsAre("a/deep/same 3.jpg", "a/same 1.jpg", "a/same 2.png"));
  EXPECT_FALSE(found.duplicates[0].across_classes);
  EXPECT_FALSE(found.duplicates[0].across_splits);
  EXPECT_THAT(found.duplicates[1].paths, ElementsAre("a/x.jpg", "b/x.jpg"));
  EXPECT_TRUE(found.duplicates[1].across_classes);
  EXPECT_FALSE(found.duplicates[1].across_splits);
}

TEST_F(VerifyThreads, DamagedCopiesAreBadNotDuplicates) {
  fill("a", 2);
  fill("b", 2);
  root.write("a/1.png", "damaged");
  root.write("b/1.png", "damaged");
  const Verification found = verify();
  EXPECT_EQ(found.bad.size(), 2U);
  EXPECT_THAT(found.duplicates, IsEmpty());
}

TEST_F(VerifyThreads, SplitFolders) {
  for (const char* split : {"train", "val", "test"}) {
    fill(std::string(split) + "/a", 2);
    fill(std::string(split) + "/b", 3);
  }
  root.write("train/a/leak.jpg", tagged("leak"));
  root.write("test/a/leak.jpg", tagged("leak"));
  const Verification found = verify();
  EXPECT_EQ(found.images, 17);
  std::vector<std::string> names;
  for (const auto& one : found.classes) {
    names.push_back(one.name + " " + std::to_string(one.images));
  }
  EXPECT_THAT(names, ElementsAre("test/a 3", "test/b 3", "train/a 3", "train/b 3", "val/a 2", "val/b 3"));
  ASSERT_EQ(found.duplicates.size(), 1U);
  EXPECT_THAT(found.duplicates[0].paths, ElementsAre("test/a/leak.jpg", "train/a/leak.jpg"));
  EXPECT_TRUE(found.duplicates[0].across_splits);
  EXPECT_FALSE(found.duplicates[0].across_classes);
}

TEST_F(VerifyThreads, TheResultDoesNotDependOnTheNumberOfWorkers) {
  for (const char* name : {"a", "b", "c"}) {
    fill(name, 20);
    root.write(std::string(name) + "/bad.jpg", "damaged " + std::string(name));
    root.write(std::string(name) + "/same.jpg", tagged("same"));
  }
  const auto text = [](const Verification& found) {
    std::string all = std::to_string(found.images);
    for (const auto& one : found.bad) {
      all += "\n" + one.path + ": " + one.reason;
    }
    for (const auto& one : found.duplicates) {
      for (const auto& path : one.paths) {
        all += "\n" + path;
      }
    }
    return all;
  };
  const std::string expected = text(verify(1));
  EXPECT_THAT(expected, HasSubstr("c/bad.jpg"));
  for (const int workers : {0, 2, 3, 16}) {
    EXPECT_EQ(text(verify(workers)), expected) << workers;
  }
}

TEST_F(VerifyThreads, ProgressEndsAtTheTotal) {
  fill("a", 9);
  fill("b", 9);
  std::int64_t last = 0;
  verify_images(root.path(), 2, [&](std::int64_t done, std::int64_t total) {
    EXPECT_GE(done, last);
    EXPECT_EQ(total, 18);
    last = done;
  });
  EXPECT_EQ(last, 18);
}

TEST_F(VerifyThreads, AStopEndsItEarly) {
  fill("a", 9);
  fill("b", 9);
  request_stop();
  std::int64_t last = 0;
  verify_images(root.path(), 2, [&](std::int64_t done, std::int64_t) { last = done; });
  EXPECT_LT(last, 18);
  EXPECT_EQ(verify().images, 0) << "a part is no result";
}

TEST_F(VerifyThreads, NoDataSetAtAllIsAnError) {
  EXPECT_THROW(verify(), DataError);
  EXPECT_THROW(verify_images(root / "gone", 2), DataError);
}

TEST_F(VerifyThreads, FaultsOfFoldersDoNotHideThoseOfFiles) {
  fill("only", 3);
  EXPECT_EQ(verify().faults.size(), 1U) << "one class";
  std::filesystem::create_directory(root / "empty");
  root.write("only/bad.jpg", "no picture");
  const Verification found = verify();
  ASSERT_EQ(found.faults.size(), 1U);
  EXPECT_THAT(found.faults[0], HasSubstr("empty: this class has no image"));
  ASSERT_EQ(found.bad.size(), 1U);
  EXPECT_EQ(found.bad[0].path, "only/bad.jpg");
  EXPECT_FALSE(found.clean());
}

TEST_F(VerifyThreads, ClassesThatASplitLacksAreAFaultAndTheRestIsLabelledRight) {
  fill("train/a", 2);
  fill("train/b", 2);
  fill("train/c", 2);
  fill("val/c", 2);
  root.write("val/d/bad.jpg", "no picture");
  std::filesystem::copy_file(root / "train/c/0.jpg", root / "val/c/copy.jpg");
  const Verification found = verify();
  ASSERT_EQ(found.faults.size(), 1U);
  EXPECT_THAT(found.faults[0], HasSubstr("\"a\", \"b\" and \"d\""));
  ASSERT_EQ(found.bad.size(), 1U) << "of a class that only one split has";
  ASSERT_EQ(found.duplicates.size(), 1U);
  EXPECT_FALSE(found.duplicates[0].across_classes);
  EXPECT_TRUE(found.duplicates[0].across_splits);
}

}  // namespace
}  // namespace effnetv2
