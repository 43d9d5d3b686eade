#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "effnetv2/config/config.h"
#include "effnetv2/config/keys.h"
#include "effnetv2/config/strict_json.h"
#include "effnetv2/core/hash.h"

namespace effnetv2 {
namespace {

using nlohmann::ordered_json;

/// What counts of a semantic key's value.
ordered_json meaning(const ConfigKey& key, const ordered_json& value) {
  if (key.field.semantic == Semantic::without_index) {
    const auto& text = value.get_ref<const std::string&>();
    return text.substr(0, text.find(':'));
  }
  return value;
}

using Values = std::vector<std::pair<const ConfigKey*, ordered_json>>;

/// Appends every semantic key of `object` with what counts of its value, in the documented order. An optional object
/// is one value.
void collect(const ConfigKey& key, const ordered_json& object, Values& values) {
  for (const ConfigKey& child : key.children) {
    const ordered_json& value = object.at(child.name);
    if (child.type == ConfigKey::Type::object && !child.optional) {
      collect(child, value, values);
    } else if (child.field.semantic != Semantic::no) {
      values.emplace_back(&child, meaning(child, value));
    }
  }
}

Values semantic_values(const ExperimentConfig& config) {
  Values values;
  collect(config_keys(), to_json(config), values);
  return values;
}

/// The innermost place where two different values differ, as text.
std::string difference(const std::string& path, const ordered_json& run, const ordered_json& asked) {
  if (run.is_array() && asked.is_array() && run.size() == asked.size()) {
    for (std::size_t i = 0; i < run.size(); ++i) {
      if (run[i] != asked[i]) {
        return difference(join_path(path, i), run[i], asked[i]);
      }
    }
  }
  if (run.is_object() && asked.is_object()) {
    for (const auto& [name, value] : run.items()) {
      if (value != asked.at(name)) {
        return difference(join_path(path, name), value, asked.at(name));
      }
    }
  }
  return path + ": the run has " + show_value(run) + ", asked is " + show_value(asked);
}

}  // namespace

std::string semantic_hash(const ExperimentConfig& config) {
  Fingerprint fingerprint;
  for (const auto& [key, value] : semantic_values(config)) {
    fingerprint.add(key->path).add(value.dump());
  }
  return fingerprint.hex();
}

std::optional<std::string> first_semantic_difference(const ExperimentConfig& run, const ExperimentConfig& asked) {
  const auto run_values = semantic_values(run);
  const auto asked_values = semantic_values(asked);
  for (std::size_t i = 0; i < run_values.size(); ++i) {
    if (run_values[i].second != asked_values[i].second) {
      return difference(run_values[i].first->path, run_values[i].second, asked_values[i].second);
    }
  }
  return std::nullopt;
}

}  // namespace effnetv2
