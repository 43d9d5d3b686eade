#pragma once

#include <fstream>
#include <stdexcept>
#include <string>

#include <nlohmann/json.hpp>

#include "effnetv2/config/config.h"
#include "effnetv2/model/architecture.h"

namespace effnetv2::test {

/// tests/golden/<name>.json.
inline nlohmann::json read_golden(const std::string& name) {
  const std::string path = std::string(EFFNETV2_SOURCE_DIR) + "/tests/golden/" + name + ".json";
  std::ifstream file(path);
  if (!file) {
    throw std::runtime_error("cannot read " + path);
  }
  return nlohmann::json::parse(file);
}

/// The network that the "model" object of a golden describes, read as any config is.
inline Architecture golden_architecture(const nlohmann::json& model) {
  const ModelConfig config = parse_config({{"model", model}}, ".").model;
  return architecture(config, config.num_classes.value());
}

}  // namespace effnetv2::test
