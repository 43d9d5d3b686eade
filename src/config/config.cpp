#include "effnetv2/config/config.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "effnetv2/config/keys.h"
#include "effnetv2/core/error.h"

#include "check.h"
#include "document.h"
#include "rules.h"
#include "visitors.h"

namespace effnetv2 {
namespace {

std::string join_lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += (text.empty() ? "" : "\n") + line;
  }
  return text;
}

ExperimentConfig read(Document& document, const std::vector<std::string>& sets) {
  std::vector<std::string> errors = document.errors();
  document.apply_sets(sets, errors);
  std::vector<Issue> issues = check(document);

  ExperimentConfig config;
  Reader reader(document.root());
  describe(reader, config);

  for (Issue& issue : broken_rules(config, issues)) {
    issues.push_back(std::move(issue));
  }
  for (const Issue& issue : issues) {
    const std::string& label = document.origin(issue.path).label;
    errors.push_back((label.empty() ? "" : label + ": ") + issue.path + ": " + issue.message);
  }
  if (!errors.empty()) {
    throw ConfigError(join_lines(errors));
  }
  return config;
}

}  // namespace

ExperimentConfig load_config(const std::filesystem::path& file, const std::vector<std::string>& sets) {
  try {
    Document document = Document::from_file(file);
    return read(document, sets);
  } catch (const std::filesystem::filesystem_error& error) {
    throw EnvironmentError(file.string() + ": " + error.what());
  }
}

std::vector<ValueOrigin> value_origins(const std::filesystem::path& file, const std::vector<std::string>& sets) {
  Document document = Document::from_file(file);
  const nlohmann::ordered_json resolved = to_json(read(document, sets));
  std::vector<ValueOrigin> origins;
  for (const ConfigKey* key : leaf_keys()) {
    if (find_value(resolved, key->path) != nullptr) {
      const bool given = find_value(document.root(), key->path) != nullptr;
      origins.push_back({key->path, given ? document.origin(key->path).label : "default"});
    }
  }
  return origins;
}

ExperimentConfig parse_config(const nlohmann::json& document, const std::filesystem::path& folder,
                              const std::vector<std::string>& sets) {
  Document merged = Document::from_json(document, folder);
  return read(merged, sets);
}

void validate(const ExperimentConfig& config) {
  std::vector<std::string> errors;
  for (const Issue& issue : broken_rules(config)) {
    errors.push_back(issue.path + ": " + issue.message);
  }
  if (!errors.empty()) {
    throw ConfigError(join_lines(errors));
  }
}

nlohmann::ordered_json to_json(const ExperimentConfig& config) {
  ExperimentConfig copy = config;
  Writer writer;
  describe(writer, copy);
  return writer.take();
}

}  // namespace effnetv2
