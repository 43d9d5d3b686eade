#include "effnetv2/data/class_names.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnetv2/core/error.h"

#include "support/temp_dir.h"

namespace effnetv2 {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs read(const std::string& text) {
  const test::TempDir folder;
  Pairs pairs;
  for (const auto& [id, title] : read_class_names(folder.write("names.txt", text))) {
    pairs.emplace_back(id, title);
  }
  return pairs;
}

TEST(ClassNames, AreReadInTheFilesOrder) {
  EXPECT_EQ(read("n02 tench, Tinca tinca\r\nn01\tgoldfish  \n\n  \nn03\n"),
            (Pairs{{"n02", "tench, Tinca tinca"}, {"n01", "goldfish"}, {"n03", "n03"}}));
  EXPECT_EQ(read("\xEF\xBB\xBF  a   b c"), (Pairs{{"a", "b c"}}));
  EXPECT_TRUE(read("").empty());
}

TEST(ClassNames, ARepeatedIdIsRefused) {
  try {
    read("a one\nb two\na three\n");
    FAIL() << "not refused";
  } catch (const DataError& e) {
    EXPECT_THAT(e.what(), testing::AllOf(testing::HasSubstr("data.class_names"), testing::HasSubstr("names a twice")));
  }
}

}  // namespace
}  // namespace effnetv2
