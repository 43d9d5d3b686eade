#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace effnetv2 {

/// What one evaluation left beside a run (run/evaluation_files.h).
struct EvaluationRecord {
  std::string name;                                   ///< of its folder, such as "val"
  nlohmann::ordered_json document;                    ///< eval.json
  std::vector<std::vector<std::string>> confusion;    ///< with its headers; empty of more than 60 classes
  std::vector<std::vector<std::string>> predictions;  ///< the header, then a row for each picture
};

/// What a run directory says of its run.
struct RunRecord {
  std::filesystem::path path;
  std::string name;                              ///< the folder's
  nlohmann::json config, environment;            ///< config.json, env.json; null if not there
  std::vector<nlohmann::ordered_json> metrics;   ///< rows of metrics.jsonl, whole lines only
  std::optional<nlohmann::ordered_json> result;  ///< result.json of a finished run
  std::vector<EvaluationRecord> evaluations;     ///< by name
};

/// Reads what is there; a run may be young or cut off. Throws ConfigError if `path` is no run directory, DataError,
/// naming the file, if one is damaged.
RunRecord read_run(const std::filesystem::path& path);

/// The fields of a CSV text (RFC 4180), row by row.
std::vector<std::vector<std::string>> parse_csv(const std::string& text);

}  // namespace effnetv2
