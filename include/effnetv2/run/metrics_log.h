#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "effnetv2/core/file.h"
#include "effnetv2/train/trainer.h"

namespace effnetv2 {

/// A row as an object of metrics.jsonl; null where there was no such measurement.
nlohmann::ordered_json to_json(const EpochRow& row, bool with_train_eval);

/// The rows of a metrics.jsonl, without lines that are damaged.
std::vector<nlohmann::ordered_json> read_metrics(const std::filesystem::path& jsonl);

/// A row as a line of the log: "epoch 3/350: lr 0.001, train loss 2.1, top-1 0.2, val loss ...".
std::string describe(const EpochRow& row, std::int64_t epochs);

/// metrics.jsonl and metrics.csv, appended one whole line an epoch.
class MetricsLog {
 public:
  /// Bytes of both files at a checkpoint; resume cuts them back to it.
  struct Position {
    std::int64_t jsonl = 0;
    std::int64_t csv = 0;
  };
  /// `warn` hears of a file that was changed meanwhile: whole lines of it stay, and the table is made anew.
  MetricsLog(const std::filesystem::path& jsonl, const std::filesystem::path& csv, bool with_train_eval, Position keep,
             const std::function<void(const std::string&)>& warn);

  void append(const EpochRow& row);
  /// Flushes both to the disk and says how long they are.
  Position sync();

 private:
  void append_csv(const nlohmann::ordered_json& json);

  bool with_train_eval_;
  AppendFile jsonl_, csv_;
};

}  // namespace effnetv2
