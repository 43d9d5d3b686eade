#include "effnetv2/run/metrics_log.h"

#include <sstream>

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace effnetv2 {
namespace {

EpochRow row_of(std::int64_t epoch) {
  EpochRow row;
  row.epoch = epoch;
  row.step = epoch * 7;
  row.lr = 1e-4;
  row.train_loss = 1.0 / 3.0;
  row.val_loss = 0.5;
  row.val_top1 = 0.25;
  return row;
}

std::vector<std::string> lines_of(const std::filesystem::path& path) {
  std::istringstream text(read_file(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) {
    lines.push_back(line);
  }
  return lines;
}

TEST(MetricsLog, BothFilesHoldTheSameColumns) {
  const test::TempDir dir;
  MetricsLog log(dir / "m.jsonl", dir / "m.csv", true, {});
  log.append(row_of(1));
  log.append(row_of(2));
  const auto rows = lines_of(dir / "m.jsonl");
  const auto table = lines_of(dir / "m.csv");
  ASSERT_EQ(rows.size(), 2u);
  ASSERT_EQ(table.size(), 3u);
  const auto first = nlohmann::ordered_json::parse(rows[0]);
  std::string header;
  for (const auto& [key, value] : first.items()) {
    header += (header.empty() ? "" : ",") + key;
  }
  EXPECT_EQ(table[0], header);
  EXPECT_EQ(header,
            "epoch,step,lr,train_loss,train_top1,val_loss,val_top1,val_top5,train_eval_loss,train_eval_top1,"
            "epoch_seconds,images_per_second");
  EXPECT_EQ(first["train_loss"].get<double>(), 1.0 / 3.0);
  EXPECT_TRUE(first["val_top5"].is_null());
  EXPECT_NE(table[1].find(",0.25,,"), std::string::npos) << table[1];
}

TEST(MetricsLog, ResumeCutsBothFilesToTheCheckpoint) {
  const test::TempDir dir;
  MetricsLog::Position position;
  {
    MetricsLog log(dir / "m.jsonl", dir / "m.csv", false, {});
    log.append(row_of(1));
    position = log.sync();
    log.append(row_of(2));
  }
  MetricsLog log(dir / "m.jsonl", dir / "m.csv", false, position);
  EXPECT_EQ(lines_of(dir / "m.jsonl").size(), 1u);
  EXPECT_EQ(lines_of(dir / "m.csv").size(), 2u);
  log.append(row_of(2));
  EXPECT_EQ(lines_of(dir / "m.jsonl").size(), 2u);
  EXPECT_EQ(lines_of(dir / "m.csv").size(), 3u) << "the header must not come twice";
}

TEST(MetricsLog, RowsAreReadBackWithoutDamagedLines) {
  const test::TempDir dir;
  MetricsLog log(dir / "m.jsonl", dir / "m.csv", false, {});
  log.append(row_of(1));
  const auto whole = lines_of(dir / "m.jsonl")[0];
  for (const char* line : {"{", "", "[1]", "3", "{}", "{\"epoch\": 1}", "{\"epoch\": 1, \"epoch_seconds\": null}",
                           "{\"epoch\": \"1\", \"epoch_seconds\": 2}"}) {
    write_file(dir / "m.jsonl", whole + "\n" + line + "\n" + whole + "\n" + whole.substr(0, 30));
    const auto rows = read_metrics(dir / "m.jsonl");
    ASSERT_EQ(rows.size(), 2u) << line;
    EXPECT_EQ(rows[1], to_json(row_of(1), false));
  }
}

}  // namespace
}  // namespace effnetv2
