#include "effnetv2/run/metrics_log.h"

#include <cstdio>
#include <optional>
#include <sstream>
#include <utility>

#include "effnetv2/core/text.h"

namespace effnetv2 {
namespace {

nlohmann::ordered_json or_null(const std::optional<double>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

}  // namespace

nlohmann::ordered_json to_json(const EpochRow& row, bool with_train_eval) {
  nlohmann::ordered_json json{{"epoch", row.epoch},
                              {"step", row.step},
                              {"lr", row.lr},
                              {"train_loss", row.train_loss},
                              {"train_top1", row.train_top1},
                              {"val_loss", or_null(row.val_loss)},
                              {"val_top1", or_null(row.val_top1)},
                              {"val_top5", or_null(row.val_top5)}};
  if (with_train_eval) {
    json["train_eval_loss"] = or_null(row.train_eval_loss);
    json["train_eval_top1"] = or_null(row.train_eval_top1);
  }
  json["epoch_seconds"] = row.epoch_seconds;
  json["images_per_second"] = row.images_per_second;
  return json;
}

std::vector<nlohmann::ordered_json> read_metrics(const std::filesystem::path& jsonl) {
  std::istringstream lines(read_file(jsonl));
  std::vector<nlohmann::ordered_json> rows;
  for (std::string line; std::getline(lines, line);) {
    auto row = nlohmann::ordered_json::parse(line, nullptr, /*allow_exceptions=*/false);
    const auto has_number = [&row](const char* column) { return row.contains(column) && row[column].is_number(); };
    if (row.is_object() && has_number("epoch") && has_number("epoch_seconds")) {
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

std::string describe(const EpochRow& row, std::int64_t epochs) {
  char lr[32];
  std::snprintf(lr, sizeof lr, "%.3g", row.lr);
  const std::string validation =
      row.val_top1 ? ", val loss " + fixed(*row.val_loss, 4) + ", top-1 " + fixed(*row.val_top1, 4) : "";
  return "epoch " + std::to_string(row.epoch) + "/" + std::to_string(epochs) + ": lr " + lr + ", train loss " +
         fixed(row.train_loss, 4) + ", top-1 " + fixed(row.train_top1, 4) + validation + ", " +
         human_duration(row.epoch_seconds) + ", " + fixed(row.images_per_second, 0) + " img/s";
}

MetricsLog::MetricsLog(const std::filesystem::path& jsonl, const std::filesystem::path& csv, bool with_train_eval,
                       Position keep)
    : with_train_eval_(with_train_eval), jsonl_(jsonl, keep.jsonl), csv_(csv, keep.csv) {}

void MetricsLog::append(const EpochRow& row) {
  const auto json = to_json(row, with_train_eval_);
  jsonl_.append(json.dump() + "\n");
  std::string header, line;
  const char* separator = "";
  for (const auto& [key, value] : json.items()) {
    header.append(separator).append(key);
    line.append(separator).append(value.is_null() ? "" : value.dump());
    separator = ",";
  }
  csv_.append((csv_.size() == 0 ? header + "\n" : "") + line + "\n");
}

MetricsLog::Position MetricsLog::sync() {
  jsonl_.sync();
  csv_.sync();
  return {jsonl_.size(), csv_.size()};
}

}  // namespace effnetv2
