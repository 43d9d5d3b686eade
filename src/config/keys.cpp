#include "effnetv2/config/keys.h"

#include <cmath>

#include "effnetv2/core/text.h"

#include "visitors.h"

namespace effnetv2 {
namespace {

void collect_leaves(const ConfigKey& key, std::vector<const ConfigKey*>& leaves) {
  for (const ConfigKey& child : key.children) {
    if (child.type != ConfigKey::Type::object || child.optional) {
      leaves.push_back(&child);
    }
    collect_leaves(child, leaves);
  }
}

/// 1000000, not 1e+06.
std::string bound(double value) {
  return value == std::floor(value) && std::abs(value) < 1e15 ? std::to_string(static_cast<long long>(value))
                                                              : shortest(value);
}

std::string quoted(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += (text.empty() ? "\"" : ", \"") + name + "\"";
  }
  return text;
}

}  // namespace

const ConfigKey* ConfigKey::child(std::string_view key) const {
  for (const ConfigKey& candidate : children) {
    if (candidate.name == key) {
      return &candidate;
    }
  }
  return nullptr;
}

std::vector<std::string> ConfigKey::child_names() const {
  std::vector<std::string> names;
  for (const ConfigKey& candidate : children) {
    names.push_back(candidate.name);
  }
  return names;
}

std::string ConfigKey::type_text() const {
  const std::string range = range_text(field.range);
  const bool interval = range.starts_with('[') || range.starts_with('(');
  const auto with_range = [&](std::string text) {
    return range.empty() ? text : text + (interval ? " in " : " ") + range;
  };
  std::string text;
  switch (type) {
    case Type::boolean:
      text = "true or false";
      break;
    case Type::integer:
      text = with_range(field.odd ? "an odd integer" : "an integer");
      break;
    case Type::number:
      text = with_range("a number");
      break;
    case Type::numbers:
      text = with_range("a list of " + std::to_string(length) + " numbers" + (range.empty() ? "" : ", each"));
      break;
    case Type::text:
      text = field.path ? "a path" : choices.empty() ? "text" : "one of " + quoted(choices);
      break;
    case Type::choice:
      text = "one of " + quoted(choices);
      break;
    case Type::object:
      text = "an object";
      break;
    case Type::rows:
      text = "a list of " + bound(field.range.min) + " to " + bound(field.range.max) + " objects";
      break;
  }
  if (optional) {
    text += field.absent_is_auto ? " or \"auto\"" : " or null";
  }
  return text;
}

const ConfigKey& config_keys() {
  static const ConfigKey root = [] {
    ConfigKey key;
    ExperimentConfig defaults;
    KeyCollector collector(key);
    describe(collector, defaults);
    return key;
  }();
  return root;
}

std::vector<const ConfigKey*> leaf_keys() {
  std::vector<const ConfigKey*> leaves;
  collect_leaves(config_keys(), leaves);
  return leaves;
}

std::string unknown_key_text(const ConfigKey& parent, std::string_view name) {
  std::string guess = nearest(name, parent.child_names());
  if (!guess.empty()) {
    guess = parent.child(guess)->path;
  }
  for (const ConfigKey* leaf : leaf_keys()) {
    if (guess.empty() && leaf->name == name) {
      guess = leaf->path;
    }
  }
  return guess.empty() ? "is not a key; \"effnetv2 config keys\" lists them"
                       : "is not a key, did you mean \"" + guess + "\"?";
}

std::string range_text(const Range& range) {
  const bool low = std::isfinite(range.min);
  const bool high = std::isfinite(range.max);
  if (low && high) {
    return (range.min_excluded ? "(" : "[") + bound(range.min) + ", " + bound(range.max) +
           (range.max_excluded ? ")" : "]");
  }
  if (low) {
    return (range.min_excluded ? "> " : ">= ") + bound(range.min);
  }
  if (high) {
    return (range.max_excluded ? "< " : "<= ") + bound(range.max);
  }
  return "";
}

}  // namespace effnetv2
