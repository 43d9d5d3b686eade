#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "effnetv2/config/field.h"

namespace effnetv2 {

/// One key of the config with everything its description says: the form in which checking, --set, the JSON Schema
/// and the reference walk over all keys without knowing the structs.
struct ConfigKey {
  enum class Type { boolean, integer, number, text, choice, numbers, object, rows };

  std::string name;
  std::string path;  ///< "train.optimizer.lr"; rows have "model.stages[]"
  Field field;
  Type type = Type::object;
  bool optional = false;                 ///< null is allowed, or "auto" if field.absent_is_auto
  std::size_t length = 0;                ///< of numbers
  std::vector<std::string> choices;      ///< of choice and of text with a closed list
  nlohmann::ordered_json default_value;  ///< null for an object that is always there
  std::vector<ConfigKey> children;       ///< of object; of one row of rows

  /// The child of that name or null.
  const ConfigKey* child(std::string_view key) const;
  std::vector<std::string> child_names() const;
  /// "integer in [1, 1024] or \"auto\"".
  std::string type_text() const;
};

/// The description of ExperimentConfig as a tree; its root is an object with an empty name.
const ConfigKey& config_keys();

/// The value at "a.b.c" of a document, or null if there is none, as below a null or inside a list.
const nlohmann::json* find_value(const nlohmann::json& document, std::string_view path);
const nlohmann::ordered_json* find_value(const nlohmann::ordered_json& document, std::string_view path);

/// Every key that is not an always-present object, in the documented order.
std::vector<const ConfigKey*> leaf_keys();

/// What an unknown key `name` in the object `parent` was probably meant to be: the rest of a sentence about it, such as
/// "is not a key, did you mean \"train.epochs\"?".
std::string unknown_key_text(const ConfigKey& parent, std::string_view name);

/// "[0, 1)", ">= 1", "> 0"; empty if everything is allowed.
std::string range_text(const Range& range);

}  // namespace effnetv2
