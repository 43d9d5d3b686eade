#include "effnetv2/report/run_record.h"

#include <algorithm>
#include <sstream>

#include "effnetv2/config/strict_json.h"
#include "effnetv2/core/error.h"
#include "effnetv2/core/file.h"
#include "effnetv2/core/run_paths.h"

namespace effnetv2 {
namespace {

namespace fs = std::filesystem;

/// A matrix of more classes is not read by anyone in a page, which it would fill: it grows with their square.
constexpr std::size_t kMostConfusionClasses = 60;

template <typename Json>
Json read_json(const fs::path& file) {
  auto document = read_json_object<Json>(file);
  if (document.is_null()) {
    throw DataError(file.string() +
                    ": holds no JSON object, or one nested beyond reason; is it damaged, or was it changed by hand?");
  }
  return document;
}

std::vector<nlohmann::ordered_json> read_rows(const fs::path& file) {
  std::vector<nlohmann::ordered_json> rows;
  std::istringstream lines(read_file(file, kMostJsonBytes));
  for (std::string line; std::getline(lines, line);) {
    auto row = parse_any_json<nlohmann::ordered_json>(line);
    if (row.is_object()) {  // the last line may be under way
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

/// Whether it has what a page shows of an evaluation.
bool is_evaluation(const nlohmann::ordered_json& document) {
  const auto interval = document.find("top1_interval");
  const auto classes = document.find("per_class");
  const auto data = document.find("data");
  return document.contains("samples") && interval != document.end() && interval->is_array() && interval->size() == 2 &&
         (data == document.end() || data->is_string()) && classes != document.end() && classes->is_array() &&
         std::all_of(classes->begin(), classes->end(), [](const auto& one) {
           return one.is_object() && one.contains("name") && one["name"].is_string();
         });
}

/// Those that are whole: one under way, or damaged, is not the run's fault.
std::vector<EvaluationRecord> read_evaluations(const fs::path& folder) {
  std::vector<EvaluationRecord> records;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    try {
      const EvaluationPaths files(entry.path());
      auto document = read_json<nlohmann::ordered_json>(files.document());
      if (is_evaluation(document)) {
        EvaluationRecord record{entry.path().filename().string(), std::move(document), {}, {}};
        if (record.document["per_class"].size() <= kMostConfusionClasses) {
          record.confusion = parse_csv(read_file(files.confusion()));
        }
        record.predictions = parse_csv(read_file(files.predictions()));
        records.push_back(std::move(record));
      }
    } catch (const Error&) {
      continue;
    }
  }
  std::sort(records.begin(), records.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return records;
}

}  // namespace

std::vector<std::vector<std::string>> parse_csv(const std::string& text) {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> row;
  std::string field;
  bool quoted = false, begun = false;
  const auto end_row = [&] {
    row.push_back(std::exchange(field, ""));
    rows.push_back(std::exchange(row, {}));
    begun = false;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    begun = true;
    if (quoted) {
      if (c != '"') {
        field += c;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        field += text[++i];
      } else {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',') {
      row.push_back(std::exchange(field, ""));
    } else if (c == '\n') {
      end_row();
    } else {
      field += c;
    }
  }
  if (begun) {
    end_row();
  }
  return rows;
}

RunRecord read_run(const fs::path& path) {
  RunRecord record;
  record.path = fs::absolute(path).lexically_normal();
  record.name = (record.path.has_filename() ? record.path : record.path.parent_path()).filename().string();
  const RunPaths run(path);
  if (!fs::exists(run.config())) {
    throw ConfigError(path.string() + ": is no run directory: there is no config.json");
  }
  record.config = read_json<nlohmann::json>(run.config());
  if (fs::exists(run.environment())) {
    record.environment = read_json<nlohmann::json>(run.environment());
  }
  if (fs::exists(run.metrics_jsonl())) {
    record.metrics = read_rows(run.metrics_jsonl());
  }
  if (fs::exists(run.result())) {
    record.result = read_json<nlohmann::ordered_json>(run.result());
  }
  record.evaluations = read_evaluations(run.evaluations());
  return record;
}

}  // namespace effnetv2
