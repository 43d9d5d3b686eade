#include "effnetv2/run/metrics_log.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/temp_dir.h"

namespace effnetv2 {
namespace {

using testing::HasSubstr;

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

/// For files that nobody has changed.
void unheard(const std::string& message) {
  ADD_FAILURE() << message;
}

TEST(MetricsLog, BothFilesHoldTheSameColumns) {
  const test::TempDir dir;
  MetricsLog log(dir / "m.jsonl", dir / "m.csv", true, {}, unheard);
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
    MetricsLog log(dir / "m.jsonl", dir / "m.csv", false, {}, unheard);
    log.append(row_of(1));
    position = log.sync();
    log.append(row_of(2));
  }
  MetricsLog log(dir / "m.jsonl", dir / "m.csv", false, position, unheard);
  EXPECT_EQ(lines_of(dir / "m.jsonl").size(), 1u);
  EXPECT_EQ(lines_of(dir / "m.csv").size(), 2u);
  log.append(row_of(2));
  EXPECT_EQ(lines_of(dir / "m.jsonl").size(), 2u);
  EXPECT_EQ(lines_of(dir / "m.csv").size(), 3u) << "the header must not come twice";
}

TEST(MetricsLog, ChangedFilesKeepWholeLines) {
  const test::TempDir dir;
  MetricsLog::Position position;
  {
    MetricsLog log(dir / "m.jsonl", dir / "m.csv", false, {}, unheard);
    log.append(row_of(1));
    log.append(row_of(2));
    position = log.sync();
  }
  const std::string rows = read_file(dir / "m.jsonl"), table = read_file(dir / "m.csv");
  const auto go_on = [&] {
    std::string warnings;
    MetricsLog log(dir / "m.jsonl", dir / "m.csv", false, position,
                   [&](const std::string& message) { warnings += message + "\n"; });
    log.append(row_of(3));
    return warnings;
  };
  for (const std::string& changed : {rows.substr(0, rows.size() - 40), " " + rows, rows.substr(0, 10), std::string()}) {
    write_file(dir / "m.jsonl", changed);
    EXPECT_THAT(go_on(), HasSubstr("m.jsonl: is not what it was"));
    for (const auto& line : lines_of(dir / "m.jsonl")) {
      EXPECT_TRUE(nlohmann::json::accept(line)) << line;
    }
    EXPECT_EQ(read_metrics(dir / "m.jsonl").back()["epoch"], 3);
  }
  for (const std::string& changed : {table.substr(0, table.size() - 3), "x" + table, std::string("mine\n")}) {
    write_file(dir / "m.jsonl", rows);
    write_file(dir / "m.csv", changed);
    EXPECT_THAT(go_on(), HasSubstr("m.csv: is not what it was"));
    EXPECT_EQ(read_file(dir / "m.csv").substr(0, table.size()), table);
    EXPECT_EQ(lines_of(dir / "m.csv").size(), 4u);
  }
}

TEST(MetricsLog, RowsAreReadBackWithoutDamagedLines) {
  const test::TempDir dir;
  MetricsLog log(dir / "m.jsonl", dir / "m.csv", false, {}, unheard);
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
