#include "effnetv2/run/metrics_log.h"

#include <cstdio>
#include <optional>
#include <sstream>
#include <utility>

#include "effnetv2/config/strict_json.h"
#include "effnetv2/core/text.h"

namespace effnetv2 {
namespace {

nlohmann::ordered_json or_null(const std::optional<double>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

/// Where the last whole line of `file` within its first `bytes` ends; 0 if the file is not there.
std::int64_t end_of_whole_lines(const std::filesystem::path& file, std::int64_t bytes) {
  if (bytes == 0 || !std::filesystem::exists(file)) {
    return 0;
  }
  const std::string text = read_file(file, kMostJsonBytes);
  const auto end = std::string_view(text).substr(0, static_cast<std::size_t>(bytes)).rfind('\n');
  return end == std::string_view::npos ? 0 : static_cast<std::int64_t>(end) + 1;
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
  std::istringstream lines(read_file(jsonl, kMostJsonBytes));
  std::vector<nlohmann::ordered_json> rows;
  for (std::string line; std::getline(lines, line);) {
    auto row = parse_any_json<nlohmann::ordered_json>(line);
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
                       Position keep, const std::function<void(const std::string&)>& warn)
    : with_train_eval_(with_train_eval),
      jsonl_(jsonl, end_of_whole_lines(jsonl, keep.jsonl)),
      csv_(csv, end_of_whole_lines(csv, keep.csv) == keep.csv ? keep.csv : 0) {
  if (jsonl_.size() < keep.jsonl) {
    warn(jsonl.string() + ": is not what it was when the state was saved; rows of earlier epochs are gone");
  }
  if (csv_.size() < keep.csv) {
    warn(csv.string() + ": is not what it was when the state was saved; it is made anew from " +
         jsonl.filename().string());
    for (const auto& row : read_metrics(jsonl)) {
      append_csv(row);
    }
  }
}

void MetricsLog::append(const EpochRow& row) {
  const auto json = to_json(row, with_train_eval_);
  jsonl_.append(json.dump() + "\n");
  append_csv(json);
}

void MetricsLog::append_csv(const nlohmann::ordered_json& json) {
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
