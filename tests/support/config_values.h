#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "effnetv2/config/config.h"
#include "effnetv2/config/keys.h"
#include "effnetv2/core/error.h"

namespace effnetv2::test {

using nlohmann::json;

/// Every key of the description, objects and the keys of rows too.
inline void append_keys(const ConfigKey& key, std::vector<const ConfigKey*>& keys) {
  for (const ConfigKey& child : key.children) {
    keys.push_back(&child);
    append_keys(child, keys);
  }
}

inline std::vector<const ConfigKey*> every_key() {
  std::vector<const ConfigKey*> keys;
  append_keys(config_keys(), keys);
  return keys;
}

inline bool is_in_row(const ConfigKey& key) {
  return key.path.find("[]") != std::string::npos;
}

/// The JSON path of `key`, a row's in the first row.
inline std::string concrete_path(const ConfigKey& key) {
  std::string path = key.path;
  if (const auto brackets = path.find("[]"); brackets != std::string::npos) {
    path.replace(brackets, 2, "[0]");
  }
  return path;
}

/// The value in `document` at a path such as "model.stages[0].kernel"; objects, and a first row that is valid, are made
/// where missing.
inline json& at_path(json& document, const std::string& path) {
  json* node = &document;
  std::string word;
  const auto step = [&] {
    if (!word.empty()) {
      node = &(*node)[word];
      word.clear();
    }
  };
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path.compare(i, 3, "[0]") == 0) {
      step();
      if (!node->is_array()) {
        *node = json::array({{{"channels", 8}}});
      }
      node = &(*node)[0];
      i += 2;
    } else if (path[i] == '.') {
      step();
    } else {
      word += path[i];
    }
  }
  step();
  return *node;
}

/// A document with `value` at `key` and otherwise only what lets every value of the key be legal.
inline json document_with(const ConfigKey& key, const json& value) {
  json document{{"train", {{"eval_train", true}}}};
  at_path(document, concrete_path(key)) = value;
  return document;
}

/// Values that the description allows, most of them not the default.
inline std::vector<json> good_values(const ConfigKey& key) {
  using Type = ConfigKey::Type;
  const Range& range = key.field.range;
  std::vector<json> values;
  const bool has_min = std::isfinite(range.min);
  const bool has_max = std::isfinite(range.max);
  switch (key.type) {
    case Type::boolean:
      values = {true, false};
      break;
    case Type::integer: {
      const auto min = static_cast<std::int64_t>(range.min);
      const std::int64_t step = key.field.odd ? 2 : 1;
      values = {min, min + step, static_cast<double>(min)};
      values.push_back(has_max ? json(static_cast<std::int64_t>(range.max))
                               : json(std::numeric_limits<std::int64_t>::max()));
      break;
    }
    case Type::number: {
      const double low = has_min ? range.min : -2.0;
      const double high = has_max ? range.max : low + 8.0;
      values = {low + 0.25 * (high - low), low + 0.5 * (high - low)};
      if (!range.min_excluded) {
        values.push_back(has_min ? low : -1e300);
      }
      if (!range.max_excluded && has_max) {
        values.push_back(high);
      }
      break;
    }
    case Type::numbers: {
      const double low = has_min ? range.min : -1.0;
      const double high = has_max ? range.max : 3.0;
      json list = json::array();
      for (std::size_t i = 0; i < key.length; ++i) {
        list.push_back(low + (high - low) * (0.25 + 0.5 * static_cast<double>(i) / static_cast<double>(key.length)));
      }
      values = {list};
      break;
    }
    case Type::choice:
      values.assign(key.choices.begin(), key.choices.end());
      break;
    case Type::text:
      values.assign(key.choices.begin(), key.choices.end());
      for (const char* text :
           {"cpu", "cuda", "cuda:0", "cuda:12", "none", "backbone", "stages:3", "another-name", "a_1.b"}) {
        if (key.choices.empty() && (key.field.text == nullptr || key.field.text->matches(text))) {
          values.emplace_back(text);
        }
      }
      break;
    case Type::object:
      values = {json::object()};
      break;
    case Type::rows:
      values = {json::array({{{"channels", 8}}}),
                json::array(
                    {{{"channels", 24}, {"layers", 2}, {"block", "fused_mbconv"}}, {{"channels", 48}, {"kernel", 5}}})};
      break;
  }
  if (key.optional) {
    values.push_back(key.field.absent_is_auto ? json("auto") : json(nullptr));
  }
  return values;
}

/// Values of another JSON type than the key's.
inline std::vector<json> wrong_types(const ConfigKey& key) {
  using Type = ConfigKey::Type;
  const bool is_object = key.type == Type::object;
  const bool is_list = key.type == Type::rows || key.type == Type::numbers;
  const bool is_text = key.type == Type::text || key.type == Type::choice;
  const bool is_number = key.type == Type::number || key.type == Type::integer;
  std::vector<json> values;
  const auto add = [&](bool wrong, const json& value) {
    if (wrong) {
      values.push_back(value);
    }
  };
  add(key.type != Type::boolean, true);
  add(!is_number, 1);
  add(!is_number, 0.5);
  add(key.type == Type::integer, 1.5);
  add(!is_text, "surely not");
  add(!is_text, "1");
  add(!is_object, json::object());
  add(!is_object, {{"a", 1}});
  add(!is_list, json::array());
  add(!is_list, json::array({1}));
  add(is_list, json::array({true, "x"}));
  add(key.type == Type::numbers, json::array({0.5, 0.5, 0.5, 0.5}));
  add(!key.optional || key.field.absent_is_auto, nullptr);
  add(!(key.optional && key.field.absent_is_auto), json::array({"auto"}));
  return values;
}

/// Values of the right type that are not allowed.
inline std::vector<json> out_of_range(const ConfigKey& key) {
  using Type = ConfigKey::Type;
  const Range& range = key.field.range;
  std::vector<json> values;
  if (key.type == Type::integer || key.type == Type::number) {
    const double gap = key.type == Type::integer ? 1.0 : 1e-3;
    if (std::isfinite(range.min)) {
      values.emplace_back(range.min_excluded ? range.min : range.min - gap);
      values.emplace_back(-1e12);
    }
    if (std::isfinite(range.max)) {
      values.emplace_back(range.max_excluded ? range.max : range.max + gap);
      values.emplace_back(1e12);
    }
    if (key.type == Type::integer) {
      values.emplace_back(std::numeric_limits<std::uint64_t>::max());
      values.emplace_back(9223372036854775808.0);
      values.emplace_back(1e300);
    }
    if (key.field.odd) {
      values.emplace_back(4);
    }
  }
  for (const char* text : {"", "surely not", "AUTO", "cuda:", "cuda:x", "cuda:01", "stages:", "stages:-1", "a/b"}) {
    if (!key.choices.empty() || (key.field.text != nullptr && !key.field.text->matches(text))) {
      values.emplace_back(text);
    }
  }
  return values;
}

/// The message of the ConfigError that parsing gives, "" if it gives none.
inline std::string error_of(const json& document, const std::vector<std::string>& sets = {}) {
  try {
    parse_config(document, "/somewhere", sets);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

/// True for errors, all of them, of values that are well-formed but that the program does not do, or not together with
/// the others.
inline bool breaks_only_a_rule(const std::string& message) {
  std::stringstream lines(message);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("must be at most train.epochs") == std::string::npos &&
        line.find("needs train.eval_train") == std::string::npos &&
        line.find("without a use; set data.split.val to 0") == std::string::npos) {
      return false;
    }
  }
  return true;
}

}  // namespace effnetv2::test
