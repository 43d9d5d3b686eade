#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "effnetv2/config/experiment_config.h"

namespace effnetv2 {

/// Reads `file` (extends, comments, ${VAR}, path rules), applies `sets` ("a.b=v", in order) and validates.
/// Throws ConfigError with every error found, one a line, each naming its JSON path or --set.
ExperimentConfig load_config(const std::filesystem::path& file, const std::vector<std::string>& sets = {});

/// Where a key's value comes from.
struct ValueOrigin {
  std::string path;  ///< "train.optimizer.lr"
  std::string from;  ///< "default", a file's name, or "--set train.optimizer.lr=0.1"
};

/// For every key of load_config(file, sets), in the documented order. Throws what load_config throws.
std::vector<ValueOrigin> value_origins(const std::filesystem::path& file, const std::vector<std::string>& sets = {});

/// The same from a document already in memory; relative paths are taken from `folder`.
ExperimentConfig parse_config(const nlohmann::json& document, const std::filesystem::path& folder,
                              const std::vector<std::string>& sets = {});

/// Rules across fields; throws ConfigError like load_config. Reading already checked each field's own range.
void validate(const ExperimentConfig& config);

/// Things that are legal but probably not meant, for `config check`: keys that another type ignores.
std::vector<std::string> warnings(const ExperimentConfig& config);

/// Every key with its value, in the documented order; reads back to an equal config.
nlohmann::ordered_json to_json(const ExperimentConfig& config);

/// The JSON Schema (2020-12) that editors use.
nlohmann::ordered_json config_schema();

/// docs/config.md.
std::string config_reference();

/// 16 hex digits over every semantic key: equal configs give equal results on equal data.
std::string semantic_hash(const ExperimentConfig& config);

/// The first semantic key in which two configs differ: "train.optimizer.lr: the run has 0.0001, asked is 0.001".
std::optional<std::string> first_semantic_difference(const ExperimentConfig& run, const ExperimentConfig& asked);

}  // namespace effnetv2
