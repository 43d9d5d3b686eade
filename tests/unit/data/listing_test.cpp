#include "effnetv2/data/listing.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <span>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "effnetv2/core/error.h"
#include "effnetv2/core/rng.h"

#include "support/image_golden.h"
#include "support/temp_dir.h"

namespace effnetv2 {
namespace {

namespace fs = std::filesystem;
using test::TempDir;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSubsetOf;
using ::testing::Not;

std::vector<std::string> paths(const FileList& files) {
  std::vector<std::string> result;
  std::ranges::transform(files, std::back_inserter(result), &ImageFile::path);
  return result;
}

std::vector<std::int64_t> labels(const FileList& files) {
  std::vector<std::int64_t> result;
  std::ranges::transform(files, std::back_inserter(result), &ImageFile::label);
  return result;
}

std::map<std::int64_t, std::int64_t> counts(const FileList& files) {
  std::map<std::int64_t, std::int64_t> result;
  for (const auto& file : files) {
    ++result[file.label];
  }
  return result;
}

/// Listing opens no picture, so an empty file will do for one.
class ListingTest : public ::testing::Test {
 protected:
  ListingTest() { config.split.val = 0.0; }

  Listing list() {
    config.root = root.path().string();
    return list_images(config);
  }
  std::string refusal() {
    try {
      list();
      return "";
    } catch (const DataError& e) {
      return e.what();
    }
  }
  void touch(std::initializer_list<std::string> names) {
    for (const auto& name : names) {
      root.write(name, "");
    }
  }
  /// `count` files "<folder>/NNN.jpg".
  void fill(const std::string& folder, int count, const std::string& text = "") {
    for (int i = 0; i < count; ++i) {
      root.write(folder + "/" + std::to_string(100 + i) + ".jpg", text);
    }
  }

  TempDir root;
  DataConfig config;
};

TEST_F(ListingTest, ClassesAndFilesAreInByteOrder) {
  touch({"b/1.jpg", "a/2.jpg", "a/10.jpg", "B/1.jpg", "\xC3\xA9/1.jpg", "a b/1.jpg", "10/1.jpg", "9/1.jpg"});
  const Listing listing = list();
  EXPECT_THAT(listing.classes, ElementsAre("10", "9", "B", "a", "a b", "b", "\xC3\xA9"));
  EXPECT_EQ(listing.class_titles, listing.classes);
  EXPECT_THAT(paths(listing.train), ElementsAre("10/1.jpg", "9/1.jpg", "B/1.jpg", "a/10.jpg", "a/2.jpg", "a b/1.jpg",
                                                "b/1.jpg", "\xC3\xA9/1.jpg"));
  EXPECT_THAT(labels(listing.train), ElementsAre(0, 1, 2, 3, 3, 4, 5, 6));
  EXPECT_THAT(listing.val, IsEmpty());
  EXPECT_THAT(listing.test, IsEmpty());
}

TEST_F(ListingTest, ExtensionsInAnyCaseAndNothingElse) {
  touch({"a/1.jpg", "a/2.JPG", "a/3.Jpeg", "a/4.JPEG", "a/5.png", "a/6.PnG", "a/7.bmp", "a/8.WEBP", "a/9.webp",
         "a/notes.txt", "a/jpg", "a/x.jpg.part", "a/x.gif", "a/x.csv", "a/two.dots.jpg", "b/1.jpg", "readme.jpg",
         "labels.csv"});
  EXPECT_THAT(paths(list().train), ElementsAre("a/1.jpg", "a/2.JPG", "a/3.Jpeg", "a/4.JPEG", "a/5.png", "a/6.PnG",
                                               "a/7.bmp", "a/8.WEBP", "a/9.webp", "a/two.dots.jpg", "b/1.jpg"));
}

TEST_F(ListingTest, HiddenEntriesAreIgnoredAtEveryLevel) {
  touch({"a/1.jpg", "b/1.jpg", ".ipynb_checkpoints/1.jpg", ".hidden.jpg", "a/.2.jpg", "a/._1.jpg", "a/.thumbs/1.jpg",
         "b/deep/.cache/1.jpg"});
  const Listing listing = list();
  EXPECT_THAT(listing.classes, ElementsAre("a", "b"));
  EXPECT_THAT(paths(listing.train), ElementsAre("a/1.jpg", "b/1.jpg"));
}

TEST_F(ListingTest, NestedFoldersBelongToTheirClass) {
  touch({"a/x/y/z/1.jpg", "a/1.jpg", "a/empty.d/notes.txt", "b/x/1.jpg", "b/folder.jpg/1.jpg"});
  const Listing listing = list();
  EXPECT_THAT(listing.classes, ElementsAre("a", "b"));
  EXPECT_THAT(paths(listing.train), ElementsAre("a/1.jpg", "a/x/y/z/1.jpg", "b/folder.jpg/1.jpg", "b/x/1.jpg"));
}

TEST_F(ListingTest, LinksAreFollowedLoopsAreNot) {
  const TempDir elsewhere;
  elsewhere.write("more/1.jpg", "12345");
  elsewhere.write("single.jpg", "123");
  touch({"a/1.jpg", "a/sub/1.jpg", "b/1.jpg"});
  fs::create_directory_symlink(elsewhere / "more", root / "c");
  fs::create_directory_symlink(elsewhere / "more", root / "a/more");
  fs::create_symlink(elsewhere / "single.jpg", root / "b/link.jpg");
  fs::create_directory_symlink("..", root / "a/sub/up");
  fs::create_directory_symlink(".", root / "a/self");
  fs::create_directory_symlink(root.path(), root / "a/top");
  fs::create_directory_symlink("../b", root / "a/other");  // no loop, but b's pictures are now in both
  fs::create_directory_symlink("../../a", root / "a/sub/again");
  const Listing listing = list();
  EXPECT_THAT(listing.classes, ElementsAre("a", "b", "c"));
  EXPECT_THAT(paths(listing.train), ElementsAre("a/1.jpg", "a/more/1.jpg", "a/other/1.jpg", "a/other/link.jpg",
                                                "a/sub/1.jpg", "b/1.jpg", "b/link.jpg", "c/1.jpg"));
  EXPECT_EQ(listing.train[7].bytes, 5U);
  EXPECT_EQ(listing.train[6].bytes, 3U) << "a link's target";
}

TEST_F(ListingTest, TwoFoldersThatLinkToEachOtherEnd) {
  touch({"a/1.jpg", "b/1.jpg"});
  fs::create_directory_symlink("../b", root / "a/b");
  fs::create_directory_symlink("../a", root / "b/a");
  EXPECT_THAT(paths(list().train), ElementsAre("a/1.jpg", "a/b/1.jpg", "b/1.jpg", "b/a/1.jpg"));
}

TEST_F(ListingTest, ALinkToNowhereIsListedForItsReaderToRefuse) {
  touch({"a/1.jpg", "b/1.jpg"});
  fs::create_symlink("nowhere", root / "a/2.jpg");
  fs::create_symlink("nowhere", root / "a/notes");
  const Listing listing = list();
  EXPECT_THAT(paths(listing.train), ElementsAre("a/1.jpg", "a/2.jpg", "b/1.jpg"));
  EXPECT_EQ(listing.train[1].bytes, 0U);
}

TEST_F(ListingTest, AnyBytesMayBeInAName) {
  touch({"new\nline/1\n.jpg", "not\xFFutf8/\xFE.jpg", "quo\"te's/$(x) `y`.jpg"});
  const Listing listing = list();
  EXPECT_THAT(listing.classes, ElementsAre("new\nline", "not\xFFutf8", "quo\"te's"));
  EXPECT_THAT(paths(listing.train), ElementsAre("new\nline/1\n.jpg", "not\xFFutf8/\xFE.jpg", "quo\"te's/$(x) `y`.jpg"));
}

TEST_F(ListingTest, SplitFolders) {
  touch({"train/b/1.jpg", "train/a/1.jpg", "train/a/2.jpg", "val/a/1.jpg", "val/b/9.jpg", "test/a/1.jpg",
         "test/b/1.jpg", "labels.csv", ".hidden/a/1.jpg"});
  config.split.val = 0.5;  // a folder of its own takes the place of the share
  config.split.test = 0.25;
  const Listing listing = list();
  EXPECT_THAT(listing.classes, ElementsAre("a", "b"));
  EXPECT_THAT(paths(listing.train), ElementsAre("train/a/1.jpg", "train/a/2.jpg", "train/b/1.jpg"));
  EXPECT_THAT(paths(listing.val), ElementsAre("val/a/1.jpg", "val/b/9.jpg"));
  EXPECT_THAT(paths(listing.test), ElementsAre("test/a/1.jpg", "test/b/1.jpg"));
  EXPECT_THAT(labels(listing.val), ElementsAre(0, 1));
}

TEST_F(ListingTest, WithoutAFolderOfItsOwnASplitIsAShareOfTrain) {
  fill("train/a", 10);
  fill("train/b", 10);
  fill("test/a", 3);
  fill("test/b", 3);
  config.split.val = 0.2;
  const Listing listing = list();
  EXPECT_EQ(listing.train.size(), 16U);
  EXPECT_THAT(counts(listing.val), ElementsAre(std::pair(0, 2), std::pair(1, 2)));
  EXPECT_THAT(paths(listing.val), ::testing::Each(HasSubstr("train/")));
  EXPECT_EQ(listing.test.size(), 6U);
}

TEST_F(ListingTest, AClassMayBeCalledLikeASplit) {
  touch({"train/1.jpg", "bus/1.jpg", "val/1.jpg"});
  EXPECT_THAT(list().classes, ElementsAre("bus", "train", "val"));
}

TEST_F(ListingTest, SplitsOfOtherNamesAreNotTakenForClasses) {
  touch({"train/a/1.jpg", "train/b/1.jpg", "valid/a/1.jpg", "valid/b/1.jpg", "test/a/1.jpg", "test/b/1.jpg"});
  EXPECT_THAT(refusal(), AllOf(HasSubstr("holds folders, as a split does"), HasSubstr("beside it lies \"valid\"")));
  fs::rename(root / "valid", root / "val");
  EXPECT_EQ(refusal(), "");
  fs::remove_all(root / "train");
  EXPECT_THAT(refusal(), HasSubstr("there is no \"train\" beside it"));
}

TEST_F(ListingTest, TestImagesThatChooseStandInForValidation) {
  fill("a", 10);
  fill("b", 10);
  config.split.test = 0.2;
  const Listing honest = list();
  config.split.choose_on = ChooseOn::test;
  const Listing listing = list();
  EXPECT_EQ(paths(listing.val), paths(honest.test));
  EXPECT_EQ(paths(listing.train), paths(honest.train));
  EXPECT_THAT(listing.test, IsEmpty());
  config.split.test = 0.0;
  EXPECT_THAT(refusal(), AllOf(HasSubstr("data.split.choose_on"), HasSubstr("no test images")));
}

TEST_F(ListingTest, TestImagesCannotChooseBesideAValFolder) {
  touch({"train/a/1.jpg", "train/b/1.jpg", "val/a/2.jpg", "val/b/2.jpg", "test/a/3.jpg", "test/b/3.jpg"});
  config.split.choose_on = ChooseOn::test;
  EXPECT_THAT(refusal(), AllOf(HasSubstr("data.split.choose_on"), HasSubstr("val folder")));
}

TEST_F(ListingTest, AClassCalledLikeASplitMayHoldFolders) {
  touch({"train/steam/1.jpg", "car/red/1.jpg"});
  EXPECT_EQ(refusal(), "");
}

TEST_F(ListingTest, OnlyFilesAreImages) {
  touch({"a/1.jpg", "b/1.jpg"});
  ASSERT_EQ(::mkfifo((root / "a/2.jpg").c_str(), 0600), 0);
  EXPECT_THAT(paths(list().train), ElementsAre("a/1.jpg", "b/1.jpg"));
}

TEST_F(ListingTest, ClassesThatAreWrittenAlikeAreRefused) {
  touch({"a\\xFF/1.jpg", "a\xff/1.jpg", "b/1.jpg"});
  EXPECT_THAT(refusal(), AllOf(HasSubstr("two class folders are both written \"a\\xFF\""), HasSubstr("rename")));
}

TEST_F(ListingTest, AClassMissingFromASplitIsNamed) {
  touch({"train/a/1.jpg", "train/b/1.jpg", "train/only here/1.jpg", "val/a/1.jpg", "val/b/1.jpg", "val/new\nx/1.jpg"});
  EXPECT_THAT(refusal(), AllOf(HasSubstr((root / "val").string()), HasSubstr((root / "train").string()),
                               HasSubstr("\"only here\""), HasSubstr("\"new\\x0Ax\""), Not(HasSubstr("\"a\""))));
  fs::remove_all(root / "val");
  touch({"test/a/1.jpg", "test/b/1.jpg"});
  EXPECT_THAT(refusal(), AllOf(HasSubstr((root / "test").string()), HasSubstr("\"only here\"")));
}

TEST_F(ListingTest, AnEmptySplitFolderIsAnError) {
  touch({"train/a/1.jpg", "train/b/1.jpg"});
  fs::create_directory(root / "val");
  EXPECT_THAT(refusal(), AllOf(HasSubstr((root / "val").string()), HasSubstr("\"a\" and \"b\"")));
}

TEST_F(ListingTest, EmptySetsAreErrorsThatSayWhich) {
  EXPECT_THAT(refusal(), AllOf(HasSubstr(root.path().string()), HasSubstr("no class folder")));
  touch({"1.jpg", "2.jpg"});
  EXPECT_THAT(refusal(), HasSubstr("no class folder"));
  touch({"heron/1.jpg"});
  EXPECT_THAT(refusal(), AllOf(HasSubstr("only one class, \"heron\""), HasSubstr("at least two")));
  fs::create_directory(root / "kingfisher");
  EXPECT_THAT(refusal(), AllOf(HasSubstr((root / "kingfisher").string()), HasSubstr("no image"), HasSubstr(".jpg")));
  touch({"kingfisher/notes.txt", "kingfisher/.1.jpg"});
  EXPECT_THAT(refusal(), HasSubstr((root / "kingfisher").string()));
  touch({"kingfisher/1.jpg"});
  EXPECT_EQ(refusal(), "");
}

TEST_F(ListingTest, AMissingRootIsAnErrorThatNamesTheKey) {
  config.root = "/nowhere/at\nall";
  EXPECT_THROW(list_images(config), DataError);
  try {
    list_images(config);
  } catch (const DataError& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("data.root"), HasSubstr("/nowhere/at\\x0Aall")));
  }
  config.root = root.write("file", "").string();
  EXPECT_THROW(list_images(config), DataError);
  config.root.reset();
  EXPECT_THROW(list_images(config), DataError);
}

TEST_F(ListingTest, AClassThatASplitLeavesEmptyIsNamed) {
  fill("a", 20);
  fill("small", 1);
  config.split.val = 0.2;
  EXPECT_THAT(refusal(), AllOf(HasSubstr("no validation image"), HasSubstr("\"small\""), HasSubstr("data.split")));
  config.split.val = 0.9;
  EXPECT_THAT(refusal(), AllOf(HasSubstr("no training image"), HasSubstr("\"small\""), Not(HasSubstr("\"a\""))));
  config.split.val = 0.0;
  config.split.test = 0.2;
  EXPECT_THAT(refusal(), AllOf(HasSubstr("no test image"), HasSubstr("\"small\"")));
}

// ---- splits

TEST_F(ListingTest, ASplitIsDisjointCompleteAndInOrder) {
  Rng rng(1);
  for (int round = 0; round < 25; ++round) {
    const TempDir folder;
    std::set<std::string> all;
    for (const char* name : {"a", "b", "c"}) {
      const auto count = 40 + rng.below(20);
      for (std::uint64_t i = 0; i < count; ++i) {
        const std::string path = std::string(name) + "/" + std::to_string(rng.next()) + ".png";
        folder.write(path, "");
        all.insert(path);
      }
    }
    config.root = folder.path().string();
    config.split = {.val = rng.uniform(0.2, 0.4),
                    .test = rng.uniform(0.2, 0.4),
                    .seed = rng.next(),
                    .stratified = rng.below(2) == 0};
    const Listing listing = list_images(config);
    std::set<std::string> found;
    for (const auto* files : {&listing.train, &listing.val, &listing.test}) {
      const auto names = paths(*files);
      EXPECT_TRUE(std::ranges::is_sorted(names));
      found.insert(names.begin(), names.end());
    }
    EXPECT_EQ(found, all);
    EXPECT_EQ(listing.train.size() + listing.val.size() + listing.test.size(), all.size());
    EXPECT_NEAR(static_cast<double>(listing.val.size()), config.split.val * static_cast<double>(all.size()), 2);
    EXPECT_NEAR(static_cast<double>(listing.test.size()), config.split.test * static_cast<double>(all.size()), 2);
  }
}

TEST_F(ListingTest, StratifiedSplitsEachClassAlike) {
  fill("a", 100);
  fill("b", 10);
  fill("c", 45);
  config.split = {.val = 0.2, .test = 0.1};
  Listing listing = list();
  EXPECT_THAT(counts(listing.val), ElementsAre(std::pair(0, 20), std::pair(1, 2), std::pair(2, 9)));
  EXPECT_THAT(counts(listing.test), ElementsAre(std::pair(0, 10), std::pair(1, 1), std::pair(2, 5)));
  config.split.stratified = false;
  std::set<std::int64_t> sizes;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    config.split.seed = seed;
    try {
      listing = list();
    } catch (const DataError&) {
      continue;  // none of b
    }
    EXPECT_EQ(listing.val.size(), 31U);
    EXPECT_EQ(listing.test.size(), 16U);
    sizes.insert(counts(listing.val)[0]);
  }
  EXPECT_GT(sizes.size(), 3U);
}

TEST_F(ListingTest, ASplitNeverChanges) {
  fill("a", 10);
  fill("b", 10);
  config.split = {.val = 0.3, .test = 0.2, .seed = 42};
  Listing listing = list();
  EXPECT_THAT(paths(listing.val),
              ElementsAre("a/103.jpg", "a/104.jpg", "a/109.jpg", "b/102.jpg", "b/105.jpg", "b/108.jpg"));
  EXPECT_THAT(paths(listing.test), ElementsAre("a/101.jpg", "a/106.jpg", "b/103.jpg", "b/107.jpg"));
  config.split = {.val = 0.3, .seed = 8, .stratified = false};
  EXPECT_THAT(paths(list().val),
              ElementsAre("a/107.jpg", "b/101.jpg", "b/102.jpg", "b/107.jpg", "b/108.jpg", "b/109.jpg"));
  config.images_per_class = 5;
  config.split = {.val = 0.2, .seed = 7};
  listing = list();
  EXPECT_THAT(paths(listing.train), ElementsAre("a/101.jpg", "a/103.jpg", "a/105.jpg", "a/109.jpg", "b/103.jpg",
                                                "b/104.jpg", "b/108.jpg", "b/109.jpg"));
  EXPECT_THAT(paths(listing.val), ElementsAre("a/104.jpg", "b/100.jpg"));
}

TEST_F(ListingTest, AnotherSeedIsAnotherSplit) {
  fill("a", 40);
  fill("b", 40);
  config.split.val = 0.5;
  std::set<std::vector<std::string>> seen;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    config.split.seed = seed;
    seen.insert(paths(list().val));
  }
  EXPECT_EQ(seen.size(), 20U);
}

TEST_F(ListingTest, ASplitDependsOnNamesAlone) {
  fill("a", 30);
  fill("b", 30);
  config.split = {.val = 0.3, .test = 0.3};
  config.images_per_class = 20;
  const Listing expected = list();

  // another folder, filled in another order, with other contents
  const TempDir other;
  std::vector<int> order(30);
  std::iota(order.begin(), order.end(), 100);
  Rng rng(3);
  rng.shuffle(std::span(order));
  for (const int i : order) {
    for (const char* name : {"b", "a"}) {
      other.write(std::string(name) + "/" + std::to_string(i) + ".jpg", std::string(rng.below(100), 'x'));
    }
  }
  config.root = other.path().string();
  const Listing moved = list_images(config);
  EXPECT_EQ(paths(moved.train), paths(expected.train));
  EXPECT_EQ(paths(moved.val), paths(expected.val));
  EXPECT_EQ(paths(moved.test), paths(expected.test));
}

TEST_F(ListingTest, AnotherClassChangesNothingInAStratifiedSplit) {
  fill("a", 30);
  fill("c", 30);
  config.split.val = 0.3;
  const auto before = paths(list().val);
  fill("b", 30);
  const auto after = paths(list().val);
  EXPECT_THAT(before, IsSubsetOf(after));
}

TEST_F(ListingTest, FewerImagesPerClassAreAmongMore) {
  fill("a", 20);
  fill("b", 12);
  std::vector<std::string> fewer;
  for (std::int64_t n = 1; n <= 20; ++n) {
    config.images_per_class = n;
    const Listing listing = list();
    EXPECT_THAT(counts(listing.train), ElementsAre(std::pair(0, n), std::pair(1, std::min<std::int64_t>(n, 12))));
    const auto more = paths(listing.train);
    EXPECT_THAT(fewer, IsSubsetOf(more)) << n;
    fewer = more;
  }
  config.images_per_class.reset();
  EXPECT_EQ(paths(list().train), fewer);
}

TEST_F(ListingTest, TheChoiceOfImagesIsNotTheFirstInTheFolder) {
  fill("a", 200);
  fill("b", 200);
  config.images_per_class = 20;
  std::set<std::vector<std::string>> seen;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    config.split.seed = seed;
    const auto chosen = paths(list().train);
    std::int64_t early = 0;
    for (const auto& path : chosen) {
      early += path < "a/200.jpg" ? 1 : 0;
    }
    EXPECT_LT(early, 19) << "half of a's on average";
    seen.insert(chosen);
  }
  EXPECT_EQ(seen.size(), 10U);
}

TEST_F(ListingTest, ImagesPerClassLeavesOtherSplitsAlone) {
  fill("train/a", 10);
  fill("train/b", 10);
  fill("val/a", 8);
  fill("val/b", 8);
  config.images_per_class = 3;
  const Listing listing = list();
  EXPECT_EQ(listing.train.size(), 6U);
  EXPECT_EQ(listing.val.size(), 16U);
}

TEST_F(ListingTest, ImagesAreChosenBeforeTheSplit) {
  fill("a", 40);
  fill("b", 40);
  config.images_per_class = 10;
  config.split.val = 0.2;
  const Listing listing = list();
  EXPECT_THAT(counts(listing.train), ElementsAre(std::pair(0, 8), std::pair(1, 8)));
  EXPECT_THAT(counts(listing.val), ElementsAre(std::pair(0, 2), std::pair(1, 2)));
}

// ---- the rest

TEST_F(ListingTest, TitlesComeFromTheListOfNames) {
  touch({"n01/1.jpg", "n02/1.jpg", "n03/1.jpg", "n04/1.jpg"});
  const TempDir elsewhere;
  config.class_names =
      elsewhere.write("names.txt", "n02 tench, Tinca tinca\r\nn01\tgoldfish  \n\nn03\nn99 nobody").string();
  EXPECT_THAT(list().class_titles, ElementsAre("goldfish", "tench, Tinca tinca", "n03", "n04"));
  config.class_names = (elsewhere / "gone.txt").string();
  EXPECT_THAT(refusal(), AllOf(HasSubstr("data.class_names"), HasSubstr("gone.txt")));
}

TEST_F(ListingTest, GreyscaleFilesAreLeftOutBeforeAnythingIsChosen) {
  std::map<std::string, std::string> files;
  for (const auto& one : test::read_image_golden("jpeg")) {
    files[one["name"].get<std::string>()] = test::from_base64(one["file"].get<std::string>());
  }
  for (const std::string name : {"a", "b"}) {
    for (int i = 0; i < 6; ++i) {
      root.write(name + "/" + std::to_string(i) + ".jpg", files.at(i < 2 ? "grey" : "baseline 420"));
    }
    root.write(name + "/bad.jpg", "no picture");
  }
  EXPECT_EQ(list().greyscale_left_out, 0);
  config.skip_greyscale = true;
  std::vector<std::int64_t> progress;
  config.root = root.path().string();
  Listing listing = list_images(config, [&](std::int64_t done, std::int64_t total) {
    EXPECT_EQ(total, 14);
    progress.push_back(done);
  });
  EXPECT_EQ(listing.greyscale_left_out, 4);
  EXPECT_EQ(progress.size(), 14U);
  EXPECT_THAT(paths(listing.train), ElementsAre("a/2.jpg", "a/3.jpg", "a/4.jpg", "a/5.jpg", "a/bad.jpg", "b/2.jpg",
                                                "b/3.jpg", "b/4.jpg", "b/5.jpg", "b/bad.jpg"))
      << "a bad image is left to its reader";
  config.images_per_class = 5;
  EXPECT_EQ(list().train.size(), 10U);
}

}  // namespace
}  // namespace effnetv2
