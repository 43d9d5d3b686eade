#include "../../../src/weights/zip.h"

#include <cstring>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../../../src/weights/defect.h"
#include "support/torch_archive.h"

namespace effnetv2 {
namespace {

using test::zip_of;
using testing::HasSubstr;

const std::string kTwo = zip_of({{"a/one", "first bytes"}, {"a/two", std::string(100, 'x')}});

std::string zip_refusal(const std::string& bytes) {
  try {
    read_zip(bytes);
  } catch (const Defect& defect) {
    return defect.text;
  }
  return "not refused";
}

template <typename T>
std::string with(std::string bytes, std::size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
  return bytes;
}

/// Where the directory's entry number `index` begins.
std::size_t central(const std::string& bytes, int index) {
  std::size_t at = 0;
  for (int i = 0; i <= index; ++i) {
    at = bytes.find("PK\x01\x02", at + (i > 0 ? 4 : 0));
  }
  return at;
}

const std::size_t kEnd = kTwo.size() - 22;

TEST(Zip, GivesBackWhatWasWrittenAligned) {
  const auto entries = read_zip(kTwo);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].name, "a/one");
  EXPECT_EQ(entries[0].bytes, "first bytes");
  EXPECT_EQ(entries[1].bytes, std::string(100, 'x'));
  for (const auto& entry : entries) {
    EXPECT_TRUE(entry.is_whole());
    EXPECT_EQ((entry.bytes.data() - kTwo.data()) % 64, 0);
  }
}

TEST(Zip, EqualEntriesGiveEqualFiles) {
  EXPECT_EQ(zip_of({{"n", "b"}}), zip_of({{"n", "b"}}));
}

TEST(Zip, AnEmptyArchiveIsOne) {
  EXPECT_TRUE(read_zip(zip_of({})).empty());
}

TEST(Zip, ReadsACommentAfterTheDirectory) {
  std::string bytes = with<std::uint16_t>(kTwo, kEnd + 20, 5) + "hello";
  EXPECT_EQ(read_zip(bytes).size(), 2u);
}

TEST(Zip, ReadsZip64Numbers) {
  // the first entry's sizes and offset move to a ZIP64 field, and the directory's place to a ZIP64 end
  const std::size_t first = central(kTwo, 0), second = central(kTwo, 1);
  std::string entry = kTwo.substr(first, second - first);
  entry = with<std::uint32_t>(entry, 20, 0xFFFFFFFF);
  entry = with<std::uint32_t>(entry, 24, 0xFFFFFFFF);
  entry = with<std::uint32_t>(entry, 42, 0xFFFFFFFF);
  entry = with<std::uint16_t>(entry, 30, 28);
  std::string extra(28, '\0');
  extra = with<std::uint16_t>(with<std::uint16_t>(extra, 0, 1), 2, 24);
  extra = with<std::uint64_t>(with<std::uint64_t>(extra, 4, 11), 12, 11);
  const std::string directory = entry + extra + kTwo.substr(second, kEnd - second);
  std::string end64(56 + 20, '\0');
  end64.replace(0, 4, "PK\x06\x06");
  end64 = with<std::uint64_t>(end64, 4, 44);
  end64 = with<std::uint64_t>(end64, 32, 2);
  end64 = with<std::uint64_t>(end64, 40, directory.size());
  end64 = with<std::uint64_t>(end64, 48, first);
  end64.replace(56, 4, "PK\x06\x07");
  end64 = with<std::uint64_t>(end64, 64, first + directory.size());
  std::string end = kTwo.substr(kEnd);
  end = with<std::uint32_t>(with<std::uint32_t>(end, 12, 0xFFFFFFFF), 16, 0xFFFFFFFF);
  const std::string bytes = kTwo.substr(0, first) + directory + end64 + end;
  const auto entries = read_zip(bytes);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].bytes, "first bytes");
  EXPECT_TRUE(entries[0].is_whole());
  // absurd places are refused
  EXPECT_THAT(zip_refusal(with<std::uint64_t>(bytes, first + directory.size() + 48, std::uint64_t{1} << 63)),
              HasSubstr("does not lie in the file"));
  EXPECT_THAT(zip_refusal(with<std::uint64_t>(bytes, first + directory.size() + 32, ~std::uint64_t{0})),
              HasSubstr("cannot hold"));
}

TEST(ZipDefect, IsNamed) {
  const std::size_t first = central(kTwo, 0), second = central(kTwo, 1);
  EXPECT_THAT(zip_refusal(""), HasSubstr("cut off"));
  EXPECT_THAT(zip_refusal(kTwo.substr(0, kTwo.size() - 1)), HasSubstr("cut off"));
  EXPECT_THAT(zip_refusal(kTwo + "x"), HasSubstr("cut off"));
  EXPECT_THAT(zip_refusal(with<std::uint32_t>(kTwo, kEnd + 16, 0xFFFFFFF0)), HasSubstr("does not lie in the file"));
  EXPECT_THAT(zip_refusal(with<std::uint16_t>(kTwo, kEnd + 10, 60000)), HasSubstr("cannot hold"));
  EXPECT_THAT(zip_refusal(with<std::uint16_t>(kTwo, kEnd + 10, 1)), HasSubstr("larger than its entries"));
  EXPECT_THAT(
      zip_refusal(with<std::uint32_t>(with<std::uint32_t>(kTwo, first + 20, 0xFFFFFFF0), first + 24, 0xFFFFFFF0)),
      HasSubstr("4294967280 bytes does not lie in the file"));
  EXPECT_THAT(zip_refusal(with<std::uint32_t>(kTwo, first + 24, 3)), HasSubstr("does not lie in the file"));
  EXPECT_THAT(zip_refusal(with<std::uint32_t>(kTwo, first + 42, 7)), HasSubstr("not where the zip directory says"));
  EXPECT_THAT(zip_refusal(with<char>(kTwo, second + 48, '!')), HasSubstr("another name"));
  std::string same = kTwo;
  same.replace(second + 46, 5, "a/one");
  EXPECT_THAT(zip_refusal(same), HasSubstr("two entries named \"a/one\""));
  // a whole local header inside another entry's bytes
  const std::string inner = zip_of({{"a/two", "inside"}});
  std::string overlap = zip_of({{"a/one", inner.substr(0, inner.find("PK\x01\x02"))}, {"a/two", "inside"}});
  const auto inside = static_cast<std::uint32_t>(overlap.find("PK\x03\x04", 4));
  overlap = with<std::uint32_t>(overlap, central(overlap, 1) + 42, inside);
  EXPECT_THAT(zip_refusal(overlap), HasSubstr("overlap"));
}

TEST(Zip, TellsEntriesThatAreNotStoredAsTheyAre) {
  const std::size_t second = central(kTwo, 1);
  for (const auto& bytes : {with<std::uint16_t>(kTwo, second + 10, 8), with<std::uint16_t>(kTwo, second + 8, 1)}) {
    const auto entries = read_zip(bytes);
    EXPECT_TRUE(entries[0].stored);
    EXPECT_FALSE(entries[1].stored);
  }
}

TEST(ZipDefect, AChangedByteOfAnEntryShows) {
  std::string bytes = kTwo;
  bytes[bytes.find("first bytes") + 3] ^= 1;
  const auto entries = read_zip(bytes);
  EXPECT_FALSE(entries[0].is_whole());
  EXPECT_TRUE(entries[1].is_whole());
}

}  // namespace
}  // namespace effnetv2
