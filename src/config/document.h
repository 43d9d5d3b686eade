#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace effnetv2 {

/// Where a value was written.
struct Origin {
  std::string label;             ///< a file's name or "--set a.b=v", to begin messages with; may be empty
  std::filesystem::path folder;  ///< what relative paths are relative to
};

/// A config document merged from files and --set items that still knows where each value stands.
class Document {
 public:
  /// Reads `file` and, below it, everything it extends. Throws ConfigError if `file` itself cannot be read.
  static Document from_file(const std::filesystem::path& file);
  /// The same of a document in memory that stands in `folder`.
  static Document from_json(const nlohmann::json& document, const std::filesystem::path& folder);

  /// Applies "a.b=v" items in order; relative paths in them are taken from the current folder. Appends one line per
  /// error to `errors`.
  void apply_sets(const std::vector<std::string>& sets, std::vector<std::string>& errors);

  /// What is wrong with "extends" and "$schema", one line each; the rest was read all the same.
  const std::vector<std::string>& errors() const noexcept { return errors_; }
  nlohmann::json& root() { return root_; }
  /// Of the value at `path` or the nearest container that has one.
  const Origin& origin(std::string path) const;

 private:
  void add_file(const std::filesystem::path& file, const std::string& label, std::vector<std::string>& chain);
  void add_document(nlohmann::json document, const Origin& origin, std::vector<std::string>& chain);
  void add_error(const std::string& error);
  void apply_set(const std::string& set);
  /// Lays `over` on `under`, the value at `path`: objects merge, anything else replaces.
  void overlay(const std::string& path, nlohmann::json& under, const nlohmann::json& over, const Origin& origin);

  nlohmann::json root_ = nlohmann::json::object();
  std::map<std::string, Origin> origins_;
  std::vector<std::string> errors_;
  int files_ = 0;  ///< read until now
};

}  // namespace effnetv2
