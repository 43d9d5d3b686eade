#include "effnetv2/report/run_record.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "effnetv2/core/error.h"

#include "support/temp_dir.h"

namespace effnetv2 {
namespace {

using testing::HasSubstr;
using Rows = std::vector<std::vector<std::string>>;

TEST(ParseCsv, ReadsQuotedFields) {
  EXPECT_EQ(parse_csv("a,b\n1,\"x, y\"\n\"say \"\"hi\"\"\",\"two\nlines\"\n"),
            (Rows{{"a", "b"}, {"1", "x, y"}, {"say \"hi\"", "two\nlines"}}));
  EXPECT_EQ(parse_csv("a,\n"), (Rows{{"a", ""}}));
  EXPECT_EQ(parse_csv("no end"), (Rows{{"no end"}}));
  EXPECT_TRUE(parse_csv("").empty());
}

TEST(ReadRun, TakesWhatIsThere) {
  const test::TempDir dir;
  dir.write("r/config.json", R"({"name": "n", "seed": 3})");
  dir.write("r/metrics.jsonl", "{\"epoch\": 1, \"val_top1\": 0.5}\n{\"epoch\": 2, \"val_");
  const RunRecord young = read_run(dir / "r/");
  EXPECT_EQ(young.name, "r");
  EXPECT_EQ(young.metrics.size(), 1u) << "a row under way is none yet";
  EXPECT_FALSE(young.result.has_value());
  dir.write("r/result.json", R"({"epochs": 2})");
  dir.write("r/eval/val/eval.json", R"({"samples": 1, "top1_interval": [0, 1], "per_class": [{"name": "a"}]})");
  dir.write("r/eval/val/confusion.csv", "class,a\na,1\n");
  dir.write("r/eval/val/predictions.csv", "path\n");
  const RunRecord done = read_run(dir / "r");
  EXPECT_EQ(done.result.value()["epochs"], 2);
  dir.write("r/eval/odd/eval.json", "{}");  // is left out
  ASSERT_EQ(read_run(dir / "r").evaluations.size(), 1u);
  ASSERT_EQ(done.evaluations.size(), 1u);
  EXPECT_EQ(done.evaluations[0].confusion[1][1], "1");
}

TEST(ReadRun, NoDepthAndNoOddValueHarms) {
  const std::string deep =
      "{\"a\":" + std::string(200'000, '[') + std::string(200'000, ']') + ",\"b\":1,\"c\":2,\"d\":3}";
  for (const char* name : {"config.json", "env.json", "result.json"}) {
    const test::TempDir dir;
    dir.write("config.json", "{}");
    dir.write(name, deep);
    EXPECT_THROW(read_run(dir.path()), DataError) << name;
  }
  const test::TempDir dir;
  dir.write("config.json", "{}");
  dir.write("metrics.jsonl", "{\"epoch\": 1}\n" + deep + "\n");
  EXPECT_EQ(read_run(dir.path()).metrics.size(), 1u);
  dir.write("eval/val/confusion.csv", "class,a\na,1\n");
  dir.write("eval/val/predictions.csv", "path\n");
  for (const std::string& value : {std::string("null"), std::string("3"), deep}) {
    dir.write("eval/val/eval.json",
              R"({"samples": 1, "top1_interval": [0, 1], "per_class": [{"name": "a"}], "data": )" + value + "}");
    EXPECT_TRUE(read_run(dir.path()).evaluations.empty()) << value.substr(0, 20);
  }
}

TEST(ReadRun, LeavesOutAMatrixOfManyClasses) {
  const test::TempDir dir;
  dir.write("config.json", "{}");
  for (const int classes : {60, 61}) {
    nlohmann::json document{{"samples", 1}, {"top1_interval", {0, 1}}};
    document["per_class"] = std::vector<nlohmann::json>(classes, {{"name", "a"}});
    const std::string folder = "eval/" + std::to_string(classes);
    dir.write(folder + "/eval.json", document.dump());
    dir.write(folder + "/confusion.csv", "class,a\na,1\n");
    dir.write(folder + "/predictions.csv", "path\n");
  }
  const auto evaluations = read_run(dir.path()).evaluations;
  ASSERT_EQ(evaluations.size(), 2u);
  EXPECT_EQ(evaluations[0].confusion.size(), 2u);
  EXPECT_TRUE(evaluations[1].confusion.empty());
}

TEST(ReadRun, NamesWhatIsNoRunOrDamaged) {
  const test::TempDir dir;
  EXPECT_THROW(read_run(dir.path()), ConfigError);
  dir.write("config.json", "{");
  try {
    read_run(dir.path());
    FAIL() << "not refused";
  } catch (const DataError& e) {
    EXPECT_THAT(e.what(), HasSubstr("config.json"));
  }
}

}  // namespace
}  // namespace effnetv2
