#include "check.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>

#include "effnetv2/config/expand.h"
#include "effnetv2/config/strict_json.h"
#include "effnetv2/core/error.h"
#include "effnetv2/core/text.h"

#include "document.h"

namespace effnetv2 {
namespace {

using nlohmann::json;
using Type = ConfigKey::Type;

constexpr std::size_t kMostGuesses = 100;

bool in_range(double value, const Range& range) {
  return std::isfinite(value) && (range.min_excluded ? value > range.min : value >= range.min) &&
         (range.max_excluded ? value < range.max : value <= range.max);
}

/// An integer of JSON, or a float with a whole value such as 1e3; nullopt for anything else and outside int64.
std::optional<std::int64_t> whole_number(const json& value) {
  constexpr double kEnd = 0x1p63;
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    return number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())
               ? std::optional(static_cast<std::int64_t>(number))
               : std::nullopt;
  }
  if (value.is_number_integer()) {
    return value.get<std::int64_t>();
  }
  if (value.is_number_float()) {
    const double number = value.get<double>();
    if (number == std::floor(number) && number >= -kEnd && number < kEnd) {
      return static_cast<std::int64_t>(number);
    }
  }
  return std::nullopt;
}

class Checker {
 public:
  Checker(const Document& document, std::vector<Issue>& issues) : document_(document), issues_(issues) {}

  /// Each returns whether `value` may stay.
  bool value(const ConfigKey& key, json& value, const std::string& path) {
    if (key.optional && (key.field.absent_is_auto ? value == json("auto") : value.is_null())) {
      value = nullptr;
      return true;
    }
    switch (key.type) {
      case Type::boolean:
        return value.is_boolean() || wrong(key, value, path);
      case Type::integer:
        return integer(key, value, path);
      case Type::number:
        return (value.is_number() && in_range(value.get<double>(), key.field.range)) || wrong(key, value, path);
      case Type::numbers:
        return numbers(key, value, path);
      case Type::choice:
      case Type::text:
        return text(key, value, path);
      case Type::rows:
        return rows(key, value, path);
      case Type::object:
        break;
    }
    return object(key, value, path);
  }

  bool object(const ConfigKey& key, json& value, const std::string& path) {
    if (!value.is_object()) {
      return wrong(key, value, path);
    }
    for (auto item = value.begin(); item != value.end();) {
      const ConfigKey* const child = key.child(item.key());
      const std::string child_path = join_path(path, item.key());
      if (child == nullptr) {
        const bool few = issues_.size() < kMostGuesses;  // what was meant takes long to find
        add(child_path, few ? unknown_key_text(key, item.key()) : "is not a key");
      }
      item = child != nullptr && this->value(*child, *item, child_path) ? std::next(item) : value.erase(item);
    }
    return true;
  }

 private:
  bool integer(const ConfigKey& key, json& value, const std::string& path) {
    const auto number = whole_number(value);
    if (!number || !in_range(static_cast<double>(*number), key.field.range) || (key.field.odd && *number % 2 == 0)) {
      return wrong(key, value, path);
    }
    value = *number;
    return true;
  }

  bool numbers(const ConfigKey& key, const json& value, const std::string& path) {
    if (!value.is_array() || value.size() != key.length) {
      return wrong(key, value, path);
    }
    bool good = true;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (!value[i].is_number() || !in_range(value[i].get<double>(), key.field.range)) {
        const std::string range = range_text(key.field.range);
        good = add(join_path(path, i), "must be a number" + (range.empty() ? "" : " in the range " + range) + ", got " +
                                           show_value(value[i]));
      }
    }
    return good;
  }

  bool text(const ConfigKey& key, json& value, const std::string& path) {
    if (!value.is_string()) {
      return wrong(key, value, path);
    }
    const std::string given = value.get<std::string>();
    if (!key.choices.empty() && std::find(key.choices.begin(), key.choices.end(), given) == key.choices.end()) {
      return wrong(key, value, path, did_you_mean(given, key.choices));
    }
    if (key.field.text != nullptr && !key.field.text->matches(given)) {
      return add(path, "must be " + std::string(key.field.text->wording) + ", got " + show_value(value));
    }
    if (key.field.path) {
      try {
        const std::string resolved = resolve_path(given, document_.origin(path).folder);
        value = resolved.empty() ? json(nullptr) : json(resolved);
      } catch (const ConfigError& error) {
        return add(path, error.what());
      }
    }
    return true;
  }

  bool rows(const ConfigKey& key, json& value, const std::string& path) {
    const Range& count = key.field.range;
    if (!value.is_array() || !in_range(static_cast<double>(value.size()), count)) {
      return wrong(key, value, path);
    }
    const std::size_t before = issues_.size();
    for (std::size_t i = 0; i < value.size(); ++i) {
      const std::string row_path = join_path(path, i);
      if (!value[i].is_object()) {
        add(row_path, "must be an object, got " + show_value(value[i]));
        continue;
      }
      for (const ConfigKey& child : key.children) {
        if (child.field.required && !value[i].contains(child.name)) {
          add(join_path(row_path, child.name), "is missing; it has no default");
        }
      }
      object(key, value[i], row_path);
    }
    return issues_.size() == before;
  }

  bool wrong(const ConfigKey& key, const json& value, const std::string& path, const std::string& hint = "") {
    std::string help = hint;
    if (help.empty() && key.type == Type::text && value.is_primitive() && !value.is_null() &&
        document_.origin(path).label.starts_with("--set ")) {
      help = "; to set text that looks like JSON, quote it: '" + path + "=\"" + value.dump() + "\"'";
    }
    return add(path, "must be " + key.type_text() + ", got " + show_value(value) + help);
  }

  bool add(const std::string& path, const std::string& message) {
    issues_.push_back({path, message});
    return false;
  }

  const Document& document_;
  std::vector<Issue>& issues_;
};

bool contains(const std::string& outer, const std::string& inner) {
  return inner.starts_with(outer) &&
         (inner.size() == outer.size() || inner[outer.size()] == '.' || inner[outer.size()] == '[');
}

}  // namespace

std::vector<Issue> check(Document& document) {
  std::vector<Issue> issues;
  Checker(document, issues).object(config_keys(), document.root(), "");
  return issues;
}

bool is_broken(const std::vector<Issue>& issues, const std::string& path) {
  return std::any_of(issues.begin(), issues.end(),
                     [&](const Issue& issue) { return contains(issue.path, path) || contains(path, issue.path); });
}

}  // namespace effnetv2
